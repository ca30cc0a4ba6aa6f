/**
 * Products of a weight with rows that are normalised on the way, be they one matrix' or two side by side:
 * the head behind the last norm, and what an MTP block begins with.
 */
import type { FusedKernels } from '../../../../tensor/fused-kernels.ts';
import type { Kernels } from '../../../../tensor/kernels.ts';
import type { Matrix } from '../../../../tensor/quantized-matrix.ts';
import { Tensor } from '../../../../tensor/tensor.ts';
import { program, programs, unroll } from '../../program.ts';
import type { Runtime } from '../../runtime.ts';
import { subgroupDirectives } from '../../subgroups.ts';
import { vectorRows } from '../matmul/vector-product.ts';
import { bitsOf, memoryOf, type WeightBits } from '../quantized-weights.ts';
import {
  beginWeights,
  innerElement,
  innerUnits,
  isVector,
  lanesFor,
  ofLane,
  type Products,
  productMemory,
  rowsPerThread,
  sumProducts,
  weightElement,
} from './products.ts';

const threads = 128;

interface Options {
  rowsPerThread: number;
  columnsPerThread: number;
  aInner: number;
  /** Of the second matrix; 0 if there is none. */
  bInner: number;
  /** Whether rows of each are looked up. */
  aGathered: boolean;
  bGathered: boolean;
  epsilon: number;
  subgroupSize: number;
  bits: WeightBits;
}

const normProduct = programs((options: Options) => {
  const { aInner, bInner, aGathered, bGathered, epsilon, subgroupSize, bits } = options;
  const { rowsPerThread: rows, columnsPerThread: columns } = options;
  const lanes = lanesFor(aInner, bits);
  const rowUnits = innerUnits(aInner) + innerUnits(bInner);
  const matrix = (name: 'a' | 'b', inner: number, gathered: boolean, beginUnits: number) => {
    const part = { rowUnits, beginUnits };
    const product: Products = {
      ...{ rows, columns, inner, normed: true, bits },
      ...{ lanes, threads, subgroupSize },
    };
    const code = /* wgsl */ `
  {
    ${unroll(columns, (c) => beginWeights(product, c, `min(column + ${c}u, p.columns - 1u)`, part))}
    ${unroll(rows, (r) => {
      const row = `min(firstRow + ${r}u, p.rows - 1u)`;
      const place = gathered ? `u32(max(${name}Rows[${row}], 0))` : row;
      return `let rowBegin${r} = ${place} * ${innerUnits(inner)}u;`;
    })}
    ${sumProducts(product, { x: name, weights: Array(columns).fill('weight'), norm: `${name}Norm`, part })}
    ${ofLane('squares', rows, (r) => `squares${r}`)}
    var factor = 1.0 / sqrt(squares / ${inner}.0 + ${epsilon});
    ${gathered ? `if (${name}Rows[min(firstRow + lane, p.rows - 1u)] < 0) { factor = 0.0; }` : ''}
    ${unroll(
      columns,
      (c) => /* wgsl */ `
    ${ofLane(`product${c}`, rows, (r) => `sum${r}x${c}`)}
    value${c} += factor * product${c};`,
    )}
  }`;
    return { product, code };
  };
  const a = matrix('a', aInner, aGathered, 0);
  const b = bInner > 0 ? matrix('b', bInner, bGathered, innerUnits(aInner)) : null;
  const element = innerElement(aInner);
  return program({
    name: b ? 'joinedNormProduct' : 'normProduct',
    directives: subgroupDirectives(subgroupSize),
    bindings: {
      a: `read ${element}`,
      aRows: aGathered ? 'read i32' : null,
      aNorm: `read ${element}`,
      b: b && `read ${element}`,
      bRows: bGathered ? 'read i32' : null,
      bNorm: b && `read ${element}`,
      weight: `read ${weightElement(aInner, bits)}`,
      out: 'write f32',
    },
    parameters: { rows: 'u32', columns: 'u32' },
    keepsParameters: true,
    threads,
    head: productMemory(a.product),
    body: /* wgsl */ `
  let lane = thread % ${lanes}u;
  let column = (group.x * ${threads / lanes}u + thread / ${lanes}u) * ${columns}u;
  let firstRow = group.y * ${rows}u;
  ${unroll(columns, (c) => `var value${c} = 0.0;`)}
  ${a.code}
  ${b?.code ?? ''}
  if (lane >= ${rows}u || firstRow + lane >= p.rows) { return; }
  let place = (firstRow + lane) * p.columns + column;
  ${unroll(columns, (c) => `if (column + ${c}u < p.columns) { out[place + ${c}u] = value${c}; }`)}`,
  });
});

interface Factor {
  table: Tensor;
  rows: Tensor | null;
  norm: Tensor;
}

export function normProductKernels(
  runtime: Runtime,
  composed: FusedKernels<Matrix>,
  { gatherRows }: Pick<Kernels<Matrix>, 'gatherRows'>,
): Pick<FusedKernels<Matrix>, 'normProduct' | 'joinedNormProduct'> {
  const fits = (out: Tensor, ...matrices: Matrix[]) =>
    out.rows <= vectorRows && matrices.every((matrix) => runtime.fitsBinding(memoryOf(matrix)));
  const run = (a: Factor, b: Factor | null, weight: Matrix, epsilon: number, out: Tensor) => {
    const [rows, columns] = out.shape as [number, number];
    const rowsAtOnce = rowsPerThread(rows);
    const columnsPerThread = rowsAtOnce > 2 && columns > 1024 ? 2 : 1;
    const aInner = a.table.columns;
    const bits = bitsOf(weight);
    const perGroup = (threads / lanesFor(aInner, bits)) * columnsPerThread;
    const { subgroupSize } = runtime;
    runtime.run(
      normProduct({
        rowsPerThread: rowsAtOnce,
        columnsPerThread,
        aInner,
        bInner: b?.table.columns ?? 0,
        aGathered: a.rows !== null,
        bGathered: b !== null && b.rows !== null,
        epsilon,
        subgroupSize,
        bits,
      }),
      {
        ...{ a: a.table, aRows: a.rows, aNorm: a.norm },
        ...{ b: b?.table ?? null, bRows: b?.rows ?? null, bNorm: b?.norm ?? null },
        ...{ weight: memoryOf(weight), out },
      },
      { rows, columns },
      [Math.ceil(columns / perGroup), Math.ceil(rows / rowsAtOnce), 1],
    );
  };
  /** Rows of a table; of a quantised one, looked up beforehand. */
  const factorOf = (table: Matrix, rows: Tensor, norm: Tensor): Factor => {
    if (table instanceof Tensor) return { table, rows, norm };
    const gathered = runtime.scratch([rows.size, table.columns]);
    gatherRows({ table, indices: rows, out: gathered });
    return { table: gathered, rows: null, norm };
  };
  return {
    normProduct(call) {
      const { x, rows, norm, epsilon, weight, out } = call;
      if (!fits(out, x, weight)) composed.normProduct(call);
      else run({ table: x, rows, norm }, null, weight, epsilon, out);
    },

    joinedNormProduct(call) {
      const { aTable, aRows, aNorm, bTable, bRows, bNorm, epsilon, weight, out } = call;
      const areAlike = isVector(aTable.columns) === isVector(bTable.columns);
      if (!areAlike || !fits(out, aTable, bTable, weight)) {
        composed.joinedNormProduct(call);
        return;
      }
      const b = { table: bTable, rows: bRows, norm: bNorm };
      run(factorOf(aTable, aRows, aNorm), b, weight, epsilon, out);
    },
  };
}
