/**
 * Products of few rows with a linear layer's weight, as in decoding: out [M,N] = a [M,K] · bᵀ, b [N,K].
 * The weight is read once for several rows, and the time is that of reading it. Lanes side by side share
 * the sums of a column, and then each finishes one row.
 */
import type { Matrix } from '../../../../tensor/quantized-matrix.ts';
import type { Tensor } from '../../../../tensor/tensor.ts';
import { program, programs, unroll } from '../../program.ts';
import type { Runtime } from '../../runtime.ts';
import { subgroupDirectives } from '../../subgroups.ts';
import {
  beginWeights,
  innerElement,
  innerUnits,
  lanesFor,
  ofLane,
  type Products,
  productMemory,
  rowsPerThread,
  sumProducts,
  weightElement,
} from '../inference/products.ts';
import { bitsOf, memoryOf, type WeightBits } from '../quantized-weights.ts';
import { findExpert } from './find-expert.ts';

/** Up to this many rows of a plain product are worked on this way. */
export const vectorRows = 128;

const threads = 128;

interface Options {
  rowsPerThread: number;
  columnsPerThread: number;
  inner: number;
  /** Each row has an expert of its own, whose weight it is multiplied with. */
  grouped: boolean;
  accumulate: boolean;
  subgroupSize: number;
  bits: WeightBits;
}

const vectorProduct = programs((options: Options) => {
  const { inner, grouped, accumulate, subgroupSize, bits } = options;
  const { rowsPerThread: rows, columnsPerThread: perThread } = options;
  const lanes = lanesFor(inner, bits);
  const product: Products = {
    ...{ rows, columns: perThread, inner, normed: false, bits },
    ...{ lanes, threads, subgroupSize },
  };
  const units = innerUnits(inner);
  return program({
    name: grouped ? 'groupedVectorProduct' : 'vectorProduct',
    directives: subgroupDirectives(subgroupSize),
    bindings: {
      a: `read ${innerElement(inner)}`,
      b: `read ${weightElement(inner, bits)}`,
      out: 'write f32',
      offsets: grouped ? 'read u32' : null,
    },
    parameters: { rows: 'u32', columns: 'u32', experts: grouped ? 'u32' : null },
    keepsParameters: true,
    threads,
    head: `${productMemory(product)}\n${grouped ? findExpert : ''}`,
    body: /* wgsl */ `
  let lane = thread % ${lanes}u;
  let column = (group.x * ${threads / lanes}u + thread / ${lanes}u) * ${perThread}u;
  let firstRow = group.y * ${rows}u;
  let firstWeight = ${grouped ? 'expertOfRow(firstRow, p.experts) * p.columns' : '0u'};
  ${unroll(perThread, (c) => beginWeights(product, c, `firstWeight + min(column + ${c}u, p.columns - 1u)`))}
  ${unroll(rows, (i) => `let rowBegin${i} = min(firstRow + ${i}u, p.rows - 1u) * ${units}u;`)}
  ${sumProducts(product, { x: 'a', weights: Array(perThread).fill('b') })}
  if (lane >= ${rows}u || firstRow + lane >= p.rows) { return; }
  let place = (firstRow + lane) * p.columns + column;
  ${unroll(
    perThread,
    (c) => /* wgsl */ `
  ${ofLane(`value${c}`, rows, (i) => `sum${i}x${c}`)}
  if (column + ${c}u < p.columns) { out[place + ${c}u] ${accumulate ? '+=' : '='} value${c}; }`,
  )}`,
  });
});

/** `offsets`: row r is multiplied with the weight of the expert whose range holds r. */
export function runVectorProduct(
  runtime: Runtime,
  {
    a,
    b,
    out,
    offsets,
    accumulate,
  }: {
    a: Tensor;
    b: Matrix;
    out: Tensor;
    offsets: Tensor | null;
    accumulate: boolean;
  },
): void {
  const [rows, columns] = out.shape as [number, number];
  const inner = a.columns;
  const rowsAtOnce = offsets ? 1 : rowsPerThread(rows);
  // With many rows, what is read of these is used for two columns.
  const columnsPerThread = rowsAtOnce > 2 && columns > 1024 ? 2 : 1;
  const { subgroupSize } = runtime;
  const bits = bitsOf(b);
  const perGroup = (threads / lanesFor(inner, bits)) * columnsPerThread;
  runtime.run(
    vectorProduct({
      rowsPerThread: rowsAtOnce,
      columnsPerThread,
      inner,
      grouped: offsets !== null,
      accumulate,
      subgroupSize,
      bits,
    }),
    { a, b: memoryOf(b), out, offsets },
    { rows, columns, experts: offsets ? offsets.size - 1 : 0 },
    [Math.ceil(columns / perGroup), Math.ceil(rows / rowsAtOnce), 1],
  );
}
