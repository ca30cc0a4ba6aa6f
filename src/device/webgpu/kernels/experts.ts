import type { Kernels } from '../../../tensor/kernels.ts';
import { program, programs } from '../program.ts';
import type { Runtime } from '../runtime.ts';
import { eachOf } from './elementwise.ts';
import { sumOf } from './reduce.ts';
import { sortedRows } from './sort.ts';

/**
 * From the slots in the order of their experts to the three tables. Thread i looks at the border
 * before sorted row i: every expert whose rows begin there writes down i, also those without rows.
 */
const finishGroups = program({
  name: 'groupByExpert',
  bindings: {
    experts: 'read i32',
    order: 'read u32',
    offsets: 'write i32',
    tokens: 'write i32',
    rows: 'write i32',
  },
  parameters: { size: 'u32', borders: 'u32', perToken: 'u32', count: 'i32' },
  threads: 256,
  body: eachOf(
    'p.borders',
    /* wgsl */ `
    var before = -1;
    var after = p.count;
    if (i > 0u) { before = experts[order[i - 1u]]; }
    if (i < p.size) {
      let slot = order[i];
      after = experts[slot];
      tokens[i] = i32(slot / p.perToken);
      rows[slot] = i32(i);
    }
    for (var e = before + 1; e <= after; e++) { offsets[e] = i32(i); }`,
  ),
});

/** `addend`: what the sums are added to, if anything. */
const combineRows = programs(({ addend }: { addend: 'residual' | 'out' | null }) =>
  program({
    name: 'combineRows',
    bindings: {
      source: 'read f32',
      rows: 'read u32',
      weights: 'read f32',
      residual: addend === 'residual' ? 'read f32' : null,
      out: 'write f32',
    },
    parameters: { size: 'u32', columns: 'u32', perToken: 'u32' },
    threads: 256,
    body: eachOf(
      'p.size',
      /* wgsl */ `
    let first = i / p.columns * p.perToken;
    var sum = ${addend ? `${addend}[i]` : '0.0'};
    for (var slot = first; slot < first + p.perToken; slot++) {
      sum += weights[slot] * source[rows[slot] * p.columns + i % p.columns];
    }
    out[i] = sum;`,
    ),
  }),
);

export function runCombineRows(
  runtime: Runtime,
  { source, rows, weights, residual = null, out }: Parameters<Kernels['combineRows']>[0],
  addend: 'residual' | 'out' | null,
): void {
  const sizes = { size: out.size, columns: out.columns, perToken: rows.columns };
  const program = combineRows({ addend });
  const tensors = { source, rows, weights, residual, out };
  runtime.run(program, tensors, sizes, runtime.grid(out.size, program.threads));
}

const sumRows = program({
  name: 'sumRows',
  bindings: { source: 'read f32', rows: 'read u32', out: 'write f32' },
  parameters: { size: 'u32', columns: 'u32', perToken: 'u32' },
  threads: 256,
  body: eachOf(
    'p.size',
    /* wgsl */ `
    let first = i / p.columns * p.perToken;
    var sum = 0.0;
    for (var slot = first; slot < first + p.perToken; slot++) {
      sum += source[rows[slot] * p.columns + i % p.columns];
    }
    out[i] = sum;`,
  ),
});

/** A workgroup a slot. */
const combineRowsBackward = program({
  name: 'combineRowsBackward',
  bindings: {
    source: 'read f32',
    rows: 'read u32',
    weights: 'read f32',
    dOut: 'read f32',
    dSource: 'write f32',
    dWeights: 'write f32',
  },
  parameters: { slots: 'u32', columns: 'u32', perToken: 'u32' },
  threads: 64,
  head: sumOf(64),
  body: /* wgsl */ `
  for (var slot = group.x; slot < p.slots; slot += groups.x) {
    let begin = slot / p.perToken * p.columns;
    let to = rows[slot] * p.columns;
    let weight = weights[slot];
    var dot = 0.0;
    for (var c = thread; c < p.columns; c += threads) {
      dot += dOut[begin + c] * source[to + c];
      dSource[to + c] = weight * dOut[begin + c];
    }
    let all = sumOf(dot, thread);
    if (thread == 0u) { dWeights[slot] = all; }
  }`,
});

export function expertKernels(
  runtime: Runtime,
): Pick<Kernels, 'groupByExpert' | 'combineRows' | 'combineRowsBackward' | 'sumRows'> {
  return {
    groupByExpert({ experts, offsets, tokens, rows }) {
      const [size, count] = [experts.size, offsets.size - 1];
      const order = sortedRows(runtime, experts, count);
      runtime.run(
        finishGroups,
        { experts, order, offsets, tokens, rows },
        { size, borders: size + 1, perToken: experts.columns, count },
        runtime.grid(size + 1, finishGroups.threads),
      );
    },

    combineRows: (call) => runCombineRows(runtime, call, call.residual ? 'residual' : null),

    combineRowsBackward({ source, rows, weights, dOut, dSource, dWeights }) {
      runtime.run(
        combineRowsBackward,
        { source, rows, weights, dOut, dSource, dWeights },
        { slots: rows.size, columns: dOut.columns, perToken: rows.columns },
        runtime.grid(rows.size, 1),
      );
    },

    sumRows({ source, rows, out }) {
      const sizes = { size: out.size, columns: out.columns, perToken: rows.columns };
      const grid = runtime.grid(out.size, sumRows.threads);
      runtime.run(sumRows, { source, rows, out }, sizes, grid);
    },
  };
}
