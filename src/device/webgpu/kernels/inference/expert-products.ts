import type { InferenceKernels } from '../../../../tensor/inference-kernels.ts';
import type { Matrix } from '../../../../tensor/quantized-matrix.ts';
import { program, programs, unroll } from '../../program.ts';
import type { Runtime } from '../../runtime.ts';
import { subgroupDirectives } from '../../subgroups.ts';
import { bitsOf, memoryOf, type WeightBits } from '../quantized-weights.ts';
import { laneMemory, laneSums } from './lanes.ts';
import {
  addProducts,
  beginWeights,
  declareSums,
  innerElement,
  innerUnits,
  lanesFor,
  type Products,
  sumNames,
  weightElement,
} from './products.ts';

const threads = 128;

interface Options {
  inner: number;
  columns: number;
  perToken: number;
  subgroupSize: number;
  bits: WeightBits;
}

/** As many as there are, since there is but one column of sums; fewer with less to read. */
const lanesOf = ({ inner, bits }: Pick<Options, 'inner' | 'bits'>) =>
  bits === 32 ? 32 : lanesFor(inner, bits);

/** The lanes of a column of one token sum over all of its experts, and then once together. */
const addExpertProducts = programs((options: Options) => {
  const { inner, columns, perToken, subgroupSize, bits } = options;
  const lanes = lanesOf(options);
  const product: Products = {
    ...{ rows: 1, columns: 1, inner, normed: false, bits },
    ...{ lanes, threads, subgroupSize },
  };
  const units = innerUnits(inner);
  return program({
    name: 'addExpertProducts',
    directives: subgroupDirectives(subgroupSize),
    bindings: {
      x: `read ${innerElement(inner)}`,
      experts: 'read i32',
      weights: 'read f32',
      down: `read ${weightElement(inner, bits)}`,
      out: 'write f32',
    },
    parameters: {},
    threads,
    head: laneMemory(product, 1),
    body: /* wgsl */ `
  let lane = thread % ${lanes}u;
  let column = group.x * ${threads / lanes}u + thread / ${lanes}u;
  let firstSlot = group.y * ${perToken}u;
  ${declareSums(product)}
  ${unroll(
    perToken,
    (j) => /* wgsl */ `
  {
    let slot = firstSlot + ${j}u;
    let rowBegin0 = slot * ${units}u;
    ${beginWeights(product, 0, `u32(experts[slot]) * ${columns}u + min(column, ${columns - 1}u)`)}
    let factor = weights[slot];
    ${addProducts(product, { x: 'x', weights: ['down'], factor: 'factor' })}
  }`,
  )}
  ${laneSums(sumNames(product), product)}
  if (lane == 0u && column < ${columns}u) { out[group.y * ${columns}u + column] += sum0x0; }`,
  });
});

export function expertProductsKernel(
  runtime: Runtime,
): Pick<InferenceKernels<Matrix>, 'addExpertProducts'> {
  return {
    addExpertProducts({ x, experts, weights, down, out }) {
      const [inner, columns, perToken] = [x.columns, out.columns, experts.columns];
      const { subgroupSize } = runtime;
      const bits = bitsOf(down);
      const perGroup = threads / lanesOf({ inner, bits });
      runtime.run(
        addExpertProducts({ inner, columns, perToken, subgroupSize, bits }),
        { x, experts, weights, down: memoryOf(down), out },
        {},
        [Math.ceil(columns / perGroup), out.rows, 1],
      );
    },
  };
}
