import type { Kernels } from '../../../tensor/kernels.ts';
import { type Runtime, read, update, write } from '../runtime.ts';
import { rowGrain } from './grain.ts';

type LogprobKernels = Pick<Kernels, 'tokenLogprobs' | 'tokenLogprobsBackward' | 'argmax'>;

export function logprobKernels(runtime: Runtime): LogprobKernels {
  return {
    tokenLogprobs({ logits, targets, logProbability, entropy, logSumExp }) {
      const { rows, columns } = logits;
      const outputs = [write(logProbability), write(entropy), write(logSumExp)];
      const args = [read(logits), read(targets), ...outputs, columns];
      runtime.launch('tokenLogprobs', args, rows, rowGrain(columns * 4));
    },

    tokenLogprobsBackward({ logits, targets, logSumExp, dLogProbability }) {
      const { rows, columns } = logits;
      const inputs = [read(targets), read(logSumExp), read(dLogProbability)];
      const args = [update(logits), ...inputs, columns];
      runtime.launch('tokenLogprobsBackward', args, rows, rowGrain(columns * 4));
    },

    argmax({ x, out }) {
      const args = [read(x), write(out), x.columns];
      runtime.launch('argmax', args, x.rows, rowGrain(x.columns));
    },
  };
}
