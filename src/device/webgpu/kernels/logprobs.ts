import type { Kernels } from '../../../tensor/kernels.ts';
import { program } from '../program.ts';
import type { Runtime } from '../runtime.ts';
import { eachOf } from './elementwise.ts';
import { largestOf, reduction, sumOf } from './reduce.ts';

const threads = 256;

/**
 * A workgroup a row. With d = x − largest and z = Σ exp(d):
 *   logSumExp = largest + log z,  entropy = log z − Σ exp(d)·d / z.
 * A logit of −∞ adds nothing, not NaN.
 */
const tokenLogprobs = program({
  name: 'tokenLogprobs',
  bindings: {
    logits: 'read f32',
    targets: 'read i32',
    logProbability: 'write f32',
    entropy: 'write f32',
    logSumExp: 'write f32',
  },
  parameters: { rows: 'u32', columns: 'u32' },
  threads,
  head: sumOf(threads) + largestOf(threads),
  body: /* wgsl */ `
  for (var row = group.x; row < p.rows; row += groups.x) {
    let begin = row * p.columns;
    var most = -3.4e38;
    for (var i = thread; i < p.columns; i += threads) { most = max(most, logits[begin + i]); }
    let largest = largestOf(most, thread);
    var sum = 0.0;
    var weighted = 0.0;
    for (var i = thread; i < p.columns; i += threads) {
      let distance = max(logits[begin + i] - largest, -1e4);
      let e = exp(distance);
      sum += e;
      weighted += e * distance;
    }
    let total = sumOf(sum, thread);
    let mean = sumOf(weighted, thread) / total;
    if (thread == 0u) {
      let logTotal = log(total);
      let target_ = targets[row];
      logSumExp[row] = largest + logTotal;
      entropy[row] = logTotal - mean;
      var value = 0.0;
      if (target_ >= 0) { value = logits[begin + u32(target_)] - largest - logTotal; }
      logProbability[row] = value;
    }
  }`,
});

const tokenLogprobsBackward = program({
  name: 'tokenLogprobsBackward',
  bindings: {
    targets: 'read i32',
    logSumExp: 'read f32',
    dLogProbability: 'read f32',
    logits: 'write f32',
  },
  parameters: { size: 'u32', columns: 'u32' },
  threads,
  body: eachOf(
    'p.size',
    /* wgsl */ `
    let row = i / p.columns;
    let column = i32(i % p.columns);
    let chosen = targets[row];
    var gradient = 0.0;
    if (chosen >= 0) {
      let hit = select(0.0, 1.0, chosen == column);
      gradient = dLogProbability[row] * (hit - exp(max(logits[i] - logSumExp[row], -1e4)));
    }
    logits[i] = gradient;`,
  ),
});

const argmax = program({
  name: 'argmax',
  bindings: { x: 'read f32', out: 'write i32' },
  parameters: { rows: 'u32', columns: 'u32' },
  threads,
  head: `
struct Candidate { value: f32, column: u32 }
fn better(a: Candidate, b: Candidate) -> Candidate {
  if (a.value > b.value || (a.value == b.value && a.column < b.column)) { return a; }
  return b;
}
${reduction('bestOf', 'Candidate', threads, 'better(a, b)')}`,
  body: /* wgsl */ `
  for (var row = group.x; row < p.rows; row += groups.x) {
    var best = Candidate(-3.4e38, 0xffffffffu);
    for (var i = thread; i < p.columns; i += threads) {
      best = better(best, Candidate(x[row * p.columns + i], i));
    }
    let winner = bestOf(best, thread);
    if (thread == 0u) { out[row] = i32(min(winner.column, p.columns - 1u)); }
  }`,
});

export function logprobKernels(
  runtime: Runtime,
): Pick<Kernels, 'tokenLogprobs' | 'tokenLogprobsBackward' | 'argmax'> {
  return {
    tokenLogprobs({ logits, targets, logProbability, entropy, logSumExp }) {
      runtime.run(
        tokenLogprobs,
        { logits, targets, logProbability, entropy, logSumExp },
        { rows: logits.rows, columns: logits.columns },
        runtime.grid(logits.rows, 1),
      );
    },

    tokenLogprobsBackward({ logits, targets, logSumExp, dLogProbability }) {
      runtime.run(
        tokenLogprobsBackward,
        { targets, logSumExp, dLogProbability, logits },
        { size: logits.size, columns: logits.columns },
        runtime.grid(logits.size, threads),
      );
    },

    argmax({ x, out }) {
      const sizes = { rows: x.rows, columns: x.columns };
      runtime.run(argmax, { x, out }, sizes, runtime.grid(x.rows, 1));
    },
  };
}
