/**
 * The balance loss by document (DeepSeek-V3, eq. 17 to 20), without knowing on the host where documents
 * begin: a document's counts lie in the row of its first token.
 */
import type { Kernels } from '../../../tensor/kernels.ts';
import { program, programs } from '../program.ts';
import type { Runtime } from '../runtime.ts';
import { sigmoid } from './activation.ts';
import { eachOf, fill } from './elementwise.ts';
import { sumOf } from './reduce.ts';

const threads = 64;

/** Integers may be added in any order, so atomics keep the result the same in every run. */
const countChoices = program({
  name: 'balanceCounts',
  bindings: { experts: 'read u32', rowStart: 'read u32', counts: 'write atomic<u32>' },
  parameters: { slots: 'u32', perToken: 'u32', columns: 'u32' },
  threads: 256,
  body: eachOf(
    'p.slots',
    /* wgsl */ `
    atomicAdd(&counts[rowStart[i / p.perToken] * p.columns + experts[i]], 1u);`,
  ),
});

/**
 * A workgroup a token: its term Σ_i f_i·s_i/Σs and, if wanted, the gradient. f_i = E·count_i/Σ count,
 * since a document's counts add up to k·T_d.
 */
const balanceRows = programs(({ gradient }: { gradient: boolean }) =>
  program({
    name: 'balanceLoss',
    bindings: {
      logits: 'read f32',
      rowStart: 'read u32',
      counts: 'read u32',
      terms: 'write f32',
      dLogits: gradient ? 'write f32' : null,
    },
    parameters: { rows: 'u32', columns: 'u32', scale: 'f32' },
    threads,
    head: sigmoid + sumOf(threads),
    body: /* wgsl */ `
  for (var row = group.x; row < p.rows; row += groups.x) {
    let begin = row * p.columns;
    let document = rowStart[row] * p.columns;
    var scores = 0.0;
    var chosen = 0.0;
    var both = 0.0;
    for (var e = thread; e < p.columns; e += threads) {
      let s = sigmoid(logits[begin + e]);
      let count = f32(counts[document + e]);
      scores += s;
      chosen += count;
      both += s * count;
    }
    let sum = sumOf(scores, thread);
    let perCount = f32(p.columns) / sumOf(chosen, thread);
    let term = perCount * sumOf(both, thread) / sum;
    if (thread == 0u) { terms[row] = term; }
    ${
      gradient
        ? `for (var e = thread; e < p.columns; e += threads) {
      let s = sigmoid(logits[begin + e]);
      let dScore = (perCount * f32(counts[document + e]) - term) / sum / f32(p.rows);
      dLogits[begin + e] += p.scale * dScore * s * (1.0 - s);
    }`
        : ''
    }
  }`,
  }),
);

/** The rows' terms, weighted T_d/T · 1/T_d, add up to the loss. */
const meanTerm = program({
  name: 'balanceMean',
  bindings: { terms: 'read f32', loss: 'write f32' },
  parameters: { rows: 'u32' },
  threads: 256,
  head: sumOf(256),
  body: /* wgsl */ `
  var sum = 0.0;
  for (var row = thread; row < p.rows; row += threads) { sum += terms[row]; }
  let all = sumOf(sum, thread);
  if (thread == 0u) { loss[0] = all / f32(max(p.rows, 1u)); }`,
});

export function balanceKernels(runtime: Runtime): Pick<Kernels, 'balanceLoss'> {
  return {
    balanceLoss({ logits, experts, rowStart, loss, dLogits, scale }) {
      const { rows, columns } = logits;
      const counts = runtime.scratch([rows, columns], 'i32');
      const terms = runtime.scratch([rows]);
      runtime.run(
        fill,
        { out: counts },
        { begin: 0, size: counts.size, value: 0 },
        runtime.grid(counts.size, fill.threads),
      );
      runtime.run(
        countChoices,
        { experts, rowStart, counts },
        { slots: experts.size, perToken: experts.columns, columns },
        runtime.grid(experts.size, countChoices.threads),
      );
      runtime.run(
        balanceRows({ gradient: dLogits !== null }),
        { logits, rowStart, counts, terms, dLogits },
        { rows, columns, scale },
        runtime.grid(rows, 1),
      );
      runtime.run(meanTerm, { terms, loss }, { rows }, [1, 1, 1]);
    },
  };
}
