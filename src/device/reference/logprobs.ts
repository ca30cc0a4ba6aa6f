import type { Kernels } from '../../tensor/kernels.ts';
import { floats, ints } from './memory.ts';

export const logprobKernels: Pick<Kernels, 'tokenLogprobs' | 'tokenLogprobsBackward' | 'argmax'> = {
  // entropy = −Σ p·log p = logSumExp − Σ p·x.
  tokenLogprobs({ logits, targets, logProbability, entropy, logSumExp }) {
    const [wanted, toLogprob, toEntropy, toTotal] = [
      ints(targets),
      floats(logProbability),
      floats(entropy),
      floats(logSumExp),
    ];
    for (let row = 0; row < logits.rows; row++) {
      const x = floats(logits.slice(row, row + 1));
      const largest = x.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
      let sum = 0;
      for (const value of x) sum += Math.exp(value - largest);
      const total = largest + Math.log(sum);
      let mean = 0;
      for (const value of x) {
        // A logit of −∞ has probability 0 and adds nothing, not NaN.
        if (value !== Number.NEGATIVE_INFINITY) mean += Math.exp(value - total) * value;
      }
      toTotal[row] = total;
      toEntropy[row] = total - mean;
      toLogprob[row] = wanted[row]! < 0 ? 0 : x[wanted[row]!]! - total;
    }
  },

  tokenLogprobsBackward({ logits, targets, logSumExp, dLogProbability }) {
    const [wanted, total, gradient] = [ints(targets), floats(logSumExp), floats(dLogProbability)];
    for (let row = 0; row < logits.rows; row++) {
      const x = floats(logits.slice(row, row + 1));
      if (wanted[row]! < 0) {
        x.fill(0);
        continue;
      }
      for (let i = 0; i < x.length; i++) {
        const hit = i === wanted[row] ? 1 : 0;
        x[i] = gradient[row]! * (hit - Math.exp(x[i]! - total[row]!));
      }
    }
  },

  argmax({ x, out }) {
    const to = ints(out);
    for (let row = 0; row < x.rows; row++) {
      const values = floats(x.slice(row, row + 1));
      let best = 0;
      for (let i = 1; i < values.length; i++) if (values[i]! > values[best]!) best = i;
      to[row] = best;
    }
  },
};
