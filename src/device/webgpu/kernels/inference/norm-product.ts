/**
 * Products of a weight with rows that are normalised on the way, be they one matrix' or two side by side:
 * the head behind the last norm, and what an MTP block begins with.
 */
import type { FusedKernels } from '../../../../tensor/fused-kernels.ts';
import type { Tensor } from '../../../../tensor/tensor.ts';
import { program, programs, unroll } from '../../program.ts';
import type { Runtime } from '../../runtime.ts';
import { subgroupDirectives } from '../../subgroups.ts';
import { vectorRows } from '../matmul/vector-product.ts';
import { laneMemory, laneSums } from './lanes.ts';
import {
  addProducts,
  declareSums,
  innerElement,
  innerUnits,
  isVector,
  lanesFor,
  ofLane,
  type Products,
  rowsPerThread,
  sumNames,
} from './products.ts';

const threads = 128;

interface Options {
  rowsPerThread: number;
  columnsPerThread: number;
  aInner: number;
  /** Of the second matrix; 0 if there is none. */
  bInner: number;
  /** Whether rows are looked up. */
  gathered: boolean;
  epsilon: number;
  subgroupSize: number;
}

const normProduct = programs((options: Options) => {
  const { aInner, bInner, gathered, epsilon, subgroupSize } = options;
  const { rowsPerThread: rows, columnsPerThread: columns } = options;
  const lanes = lanesFor(aInner);
  const weightUnits = innerUnits(aInner) + innerUnits(bInner);
  const matrix = (name: 'a' | 'b', inner: number, begin: number) => {
    const product: Products = { rows, columns, inner, normed: true, lanes, threads, subgroupSize };
    const code = /* wgsl */ `
  {
    ${unroll(columns, (c) => `let weightBegin${c} = min(column + ${c}u, p.columns - 1u) * ${weightUnits}u + ${begin}u;`)}
    ${unroll(rows, (r) => {
      const row = `min(firstRow + ${r}u, p.rows - 1u)`;
      const place = gathered ? `u32(max(${name}Rows[${row}], 0))` : row;
      return `let rowBegin${r} = ${place} * ${innerUnits(inner)}u;`;
    })}
    ${declareSums(product)}
    ${addProducts(product, { x: name, weights: Array(columns).fill('weight'), norm: `${name}Norm` })}
    ${laneSums(sumNames(product), product)}
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
  const a = matrix('a', aInner, 0);
  const b = bInner > 0 ? matrix('b', bInner, innerUnits(aInner)) : null;
  const element = innerElement(aInner);
  return program({
    name: b ? 'joinedNormProduct' : 'normProduct',
    directives: subgroupDirectives(subgroupSize),
    bindings: {
      a: `read ${element}`,
      aRows: gathered ? 'read i32' : null,
      aNorm: `read ${element}`,
      b: b && `read ${element}`,
      bRows: b && 'read i32',
      bNorm: b && `read ${element}`,
      weight: `read ${element}`,
      out: 'write f32',
    },
    parameters: { rows: 'u32', columns: 'u32' },
    keepsParameters: true,
    threads,
    head: laneMemory(a.product, sumNames(a.product).length),
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

interface Matrix {
  table: Tensor;
  rows: Tensor | null;
  norm: Tensor;
}

export function normProductKernels(
  runtime: Runtime,
  composed: FusedKernels,
): Pick<FusedKernels, 'normProduct' | 'joinedNormProduct'> {
  const fits = (out: Tensor, ...tensors: Tensor[]) =>
    out.rows <= vectorRows && tensors.every((tensor) => runtime.fitsBinding(tensor));
  const run = (a: Matrix, b: Matrix | null, weight: Tensor, epsilon: number, out: Tensor) => {
    const [rows, columns] = out.shape as [number, number];
    const rowsAtOnce = rowsPerThread(rows);
    const columnsPerThread = rowsAtOnce > 2 && columns > 1024 ? 2 : 1;
    const aInner = a.table.columns;
    const perGroup = (threads / lanesFor(aInner)) * columnsPerThread;
    const { subgroupSize } = runtime;
    runtime.run(
      normProduct({
        rowsPerThread: rowsAtOnce,
        columnsPerThread,
        aInner,
        bInner: b?.table.columns ?? 0,
        gathered: a.rows !== null,
        epsilon,
        subgroupSize,
      }),
      {
        ...{ a: a.table, aRows: a.rows, aNorm: a.norm },
        ...{ b: b?.table ?? null, bRows: b?.rows ?? null, bNorm: b?.norm ?? null },
        ...{ weight, out },
      },
      { rows, columns },
      [Math.ceil(columns / perGroup), Math.ceil(rows / rowsAtOnce), 1],
    );
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
      const a = { table: aTable, rows: aRows, norm: aNorm };
      run(a, { table: bTable, rows: bRows, norm: bNorm }, weight, epsilon, out);
    },
  };
}
