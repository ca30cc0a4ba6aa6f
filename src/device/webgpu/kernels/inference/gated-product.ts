/** silu(x·gateᵀ)·(x·upᵀ): of all rows with one weight, after a norm, or of each row with its expert's. */
import type { InferenceKernels } from '../../../../tensor/inference-kernels.ts';
import type { Matrix } from '../../../../tensor/quantized-matrix.ts';
import { program, programs, unroll } from '../../program.ts';
import type { Runtime } from '../../runtime.ts';
import { subgroupDirectives } from '../../subgroups.ts';
import { sigmoid } from '../activation.ts';
import { bitsOf, memoryOf, type WeightBits } from '../quantized-weights.ts';
import { type ExpertSlots, expertSlots, expertSlotsHead, slotsBy } from './expert-slots.ts';
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
} from './products.ts';

const threads = 128;

const gatedProduct = (
  { rowsPerThread: rows, inner, subgroupSize, bits }: NormOptions | ExpertOptions,
  normed: boolean,
) =>
  ({
    ...{ rows, columns: 2, inner, normed, bits },
    ...{ lanes: lanesFor(inner, bits), threads, subgroupSize },
  }) satisfies Products;

interface NormOptions {
  rowsPerThread: number;
  inner: number;
  columns: number;
  epsilon: number;
  subgroupSize: number;
  bits: WeightBits;
}

const normGatedProduct = programs((options: NormOptions) => {
  const { inner, columns, epsilon, subgroupSize, rowsPerThread: rows, bits } = options;
  const product = gatedProduct(options, true);
  const { lanes } = product;
  const units = innerUnits(inner);
  return program({
    name: 'normGatedProduct',
    directives: subgroupDirectives(subgroupSize),
    bindings: {
      x: `read ${innerElement(inner)}`,
      norm: `read ${innerElement(inner)}`,
      gate: `read ${weightElement(inner, bits)}`,
      up: `read ${weightElement(inner, bits)}`,
      out: 'write f32',
    },
    parameters: { rows: 'u32' },
    keepsParameters: true,
    threads,
    head: `${sigmoid}\n${productMemory(product)}`,
    body: /* wgsl */ `
  let lane = thread % ${lanes}u;
  let column = group.x * ${threads / lanes}u + thread / ${lanes}u;
  let firstRow = group.y * ${rows}u;
  ${unroll(2, (c) => beginWeights(product, c, `min(column, ${columns - 1}u)`))}
  ${unroll(rows, (i) => `let rowBegin${i} = min(firstRow + ${i}u, p.rows - 1u) * ${units}u;`)}
  ${sumProducts(product, { x: 'x', weights: ['gate', 'up'], norm: 'norm' })}
  let row = firstRow + lane;
  if (lane >= ${rows}u || row >= p.rows || column >= ${columns}u) { return; }
  ${ofLane('a', rows, (i) => `sum${i}x0`)}
  ${ofLane('b', rows, (i) => `sum${i}x1`)}
  ${ofLane('squares', rows, (i) => `squares${i}`)}
  let factor = 1.0 / sqrt(squares / ${inner}.0 + ${epsilon});
  a *= factor;
  b *= factor;
  out[row * ${columns}u + column] = a * sigmoid(a) * b;`,
  });
});

interface ExpertOptions extends ExpertSlots {
  rowsPerThread: number;
  inner: number;
  columns: number;
  subgroupSize: number;
  bits: WeightBits;
}

/** Rows are the slots of one expert, as `expertSlots` finds them. */
const expertGatedProduct = programs((options: ExpertOptions) => {
  const { inner, columns, subgroupSize, rowsPerThread: rows, perToken, bits } = options;
  const product = gatedProduct(options, false);
  const { lanes } = product;
  const units = innerUnits(inner);
  return program({
    name: 'expertGatedProduct',
    directives: subgroupDirectives(subgroupSize),
    bindings: {
      x: `read ${innerElement(inner)}`,
      experts: 'read i32',
      gate: `read ${weightElement(inner, bits)}`,
      up: `read ${weightElement(inner, bits)}`,
      out: 'write f32',
    },
    parameters: { slots: 'u32' },
    keepsParameters: true,
    threads,
    head: /* wgsl */ `
${sigmoid}
${expertSlotsHead(options)}
${productMemory(product)}`,
    body: /* wgsl */ `
  let lane = thread % ${lanes}u;
  let column = group.x * ${threads / lanes}u + thread / ${lanes}u;
  ${expertSlots(options)}
  ${unroll(2, (c) => beginWeights(product, c, `expert * ${columns}u + min(column, ${columns - 1}u)`))}
  for (var begin = 0u; begin < slotCount; begin += ${rows}u) {
    ${unroll(
      rows,
      (i) => /* wgsl */ `
    let slot${i} = slotOf(min(begin + ${i}u, slotCount - 1u), group.y);
    let rowBegin${i} = slot${i} / ${perToken}u * ${units}u;`,
    )}
    ${sumProducts(product, { x: 'x', weights: ['gate', 'up'] })}
    if (lane < ${rows}u && begin + lane < slotCount && column < ${columns}u) {
      ${ofLane('a', rows, (i) => `sum${i}x0`)}
      ${ofLane('b', rows, (i) => `sum${i}x1`)}
      ${ofLane('slot', rows, (i) => `slot${i}`)}
      out[slot * ${columns}u + column] = a * sigmoid(a) * b;
    }
  }`,
  });
});

export function gatedProductKernels(
  runtime: Runtime,
): Pick<InferenceKernels<Matrix>, 'normGatedProduct' | 'expertGatedProduct'> {
  const { subgroupSize } = runtime;
  return {
    normGatedProduct({ x, norm, epsilon, gate, up, out }) {
      const rows = rowsPerThread(x.rows);
      const [inner, columns, bits] = [x.columns, out.columns, bitsOf(gate)];
      runtime.run(
        normGatedProduct({ rowsPerThread: rows, inner, columns, epsilon, subgroupSize, bits }),
        { x, norm, gate: memoryOf(gate), up: memoryOf(up), out },
        { rows: x.rows },
        [Math.ceil(columns / (threads / lanesFor(inner, bits))), Math.ceil(x.rows / rows), 1],
      );
    },

    expertGatedProduct({ x, experts, gate, up, out }) {
      const [inner, columns, bits] = [x.columns, out.columns, bitsOf(gate)];
      const count = gate.shape[0]!;
      const by = slotsBy(experts, count);
      // About as many rows at a time as an expert has.
      const rows = by === 'token' ? 1 : rowsPerThread((2 * experts.size) / count);
      const groups = Math.min(experts.size, count);
      runtime.run(
        expertGatedProduct({
          by,
          perToken: experts.columns,
          mostSlots: 2 ** Math.ceil(Math.log2(experts.rows)),
          slotThreads: threads,
          rowsPerThread: rows,
          inner,
          columns,
          subgroupSize,
          bits,
        }),
        { x, experts, gate: memoryOf(gate), up: memoryOf(up), out },
        { slots: experts.size },
        [Math.ceil(columns / (threads / lanesFor(inner, bits))), groups, 1],
      );
    },
  };
}
