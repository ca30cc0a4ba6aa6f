import type { Kernels } from '../../../tensor/kernels.ts';
import {
  type Matrix,
  type QuantizedBits,
  QuantizedMatrix,
} from '../../../tensor/quantized-matrix.ts';
import { program, programs } from '../program.ts';
import type { Runtime } from '../runtime.ts';
import { eachOf } from './elementwise.ts';
import { weightReader } from './quantized-weights.ts';
import { scatterAddKernel } from './scatter-add.ts';

const gatherRows = program({
  name: 'gatherRows',
  bindings: { source: 'read f32', indices: 'read i32', out: 'write f32' },
  parameters: { size: 'u32', columns: 'u32' },
  keepsParameters: true,
  threads: 256,
  body: eachOf(
    'p.size',
    /* wgsl */ `
    let index = indices[i / p.columns];
    var value = 0.0;
    if (index >= 0) { value = source[u32(index) * p.columns + i % p.columns]; }
    out[i] = value;`,
  ),
});

const gatherQuantizedRows = programs(
  ({ columns, bits }: { columns: number; bits: QuantizedBits }) =>
    program({
      name: 'gatherRows',
      bindings: { table: 'read vec4u', indices: 'read i32', out: 'write vec4f' },
      parameters: { quads: 'u32' },
      keepsParameters: true,
      threads: 256,
      head: weightReader('weightsAt', 'table', columns, bits),
      body: eachOf(
        'p.quads',
        /* wgsl */ `
    let index = indices[i / ${columns / 4}u];
    var value = vec4f();
    if (index >= 0) { value = weightsAt(u32(index), i % ${columns / 4}u * 4u); }
    out[i] = value;`,
      ),
    }),
);

const writeRows = program({
  name: 'writeRows',
  bindings: { source: 'read f32', indices: 'read i32', out: 'write f32' },
  parameters: { size: 'u32', columns: 'u32' },
  threads: 256,
  body: eachOf(
    'p.size',
    /* wgsl */ `
    let index = indices[i / p.columns];
    if (index >= 0) { out[u32(index) * p.columns + i % p.columns] = source[i]; }`,
  ),
});

/** Two matrices side by side as one; `split` takes them apart again. */
const concatColumns = program({
  name: 'concatColumns',
  bindings: { a: 'read f32', b: 'read f32', out: 'write f32' },
  parameters: { size: 'u32', aColumns: 'u32', bColumns: 'u32' },
  keepsParameters: true,
  threads: 256,
  body: eachOf(
    'p.size',
    /* wgsl */ `
    let row = i / (p.aColumns + p.bColumns);
    let column = i % (p.aColumns + p.bColumns);
    if (column < p.aColumns) { out[i] = a[row * p.aColumns + column]; }
    else { out[i] = b[row * p.bColumns + column - p.aColumns]; }`,
  ),
});

const splitColumns = program({
  name: 'splitColumns',
  bindings: { source: 'read f32', a: 'write f32', b: 'write f32' },
  parameters: { size: 'u32', aColumns: 'u32', bColumns: 'u32' },
  threads: 256,
  body: eachOf(
    'p.size',
    /* wgsl */ `
    let row = i / (p.aColumns + p.bColumns);
    let column = i % (p.aColumns + p.bColumns);
    if (column < p.aColumns) { a[row * p.aColumns + column] = source[i]; }
    else { b[row * p.bColumns + column - p.aColumns] = source[i]; }`,
  ),
});

export function rowKernels(
  runtime: Runtime,
): Pick<Kernels, 'scatterAddRows' | 'writeRows' | 'concatColumns' | 'splitColumns'> &
  Pick<Kernels<Matrix>, 'gatherRows'> {
  return {
    ...scatterAddKernel(runtime),

    gatherRows({ table, indices, out }) {
      if (table instanceof QuantizedMatrix) {
        const { columns, bits, words } = table;
        const quads = out.size / 4;
        const program = gatherQuantizedRows({ columns, bits });
        const grid = runtime.grid(quads, program.threads);
        runtime.run(program, { table: words, indices, out }, { quads }, grid);
        return;
      }
      const sizes = { size: out.size, columns: table.columns };
      const grid = runtime.grid(out.size, gatherRows.threads);
      runtime.run(gatherRows, { source: table, indices, out }, sizes, grid);
    },

    writeRows({ source, indices, out }) {
      const sizes = { size: source.size, columns: out.columns };
      const grid = runtime.grid(source.size, writeRows.threads);
      runtime.run(writeRows, { source, indices, out }, sizes, grid);
    },

    concatColumns({ a, b, out }) {
      const sizes = { size: out.size, aColumns: a.columns, bColumns: b.columns };
      const grid = runtime.grid(out.size, concatColumns.threads);
      runtime.run(concatColumns, { a, b, out }, sizes, grid);
    },

    splitColumns({ source, a, b }) {
      const sizes = { size: source.size, aColumns: a.columns, bColumns: b.columns };
      const grid = runtime.grid(source.size, splitColumns.threads);
      runtime.run(splitColumns, { source, a, b }, sizes, grid);
    },
  };
}
