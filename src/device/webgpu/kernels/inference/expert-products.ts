import type { InferenceKernels } from '../../../../tensor/inference-kernels.ts';
import { program, programs, unroll } from '../../program.ts';
import type { Runtime } from '../../runtime.ts';
import { subgroupDirectives } from '../../subgroups.ts';
import { laneMemory, laneSums } from './lanes.ts';
import {
  addProducts,
  declareSums,
  innerElement,
  innerUnits,
  type Products,
  sumNames,
} from './products.ts';

const threads = 128;
const lanes = 32;

interface Options {
  inner: number;
  columns: number;
  perToken: number;
  subgroupSize: number;
}

/** The lanes of a column of one token sum over all of its experts, and then once together. */
const addExpertProducts = programs(({ inner, columns, perToken, subgroupSize }: Options) => {
  const product: Products = {
    ...{ rows: 1, columns: 1, inner, normed: false },
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
      down: `read ${innerElement(inner)}`,
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
    let weightBegin0 = (u32(experts[slot]) * ${columns}u + min(column, ${columns - 1}u)) * ${units}u;
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
): Pick<InferenceKernels, 'addExpertProducts'> {
  return {
    addExpertProducts({ x, experts, weights, down, out }) {
      const [inner, columns, perToken] = [x.columns, out.columns, experts.columns];
      runtime.run(
        addExpertProducts({ inner, columns, perToken, subgroupSize: runtime.subgroupSize }),
        { x, experts, weights, down, out },
        {},
        [Math.ceil(columns / (threads / lanes)), out.rows, 1],
      );
    },
  };
}
