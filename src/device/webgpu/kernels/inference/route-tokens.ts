import type { InferenceKernels } from '../../../../tensor/inference-kernels.ts';
import { program, programs, unroll } from '../../program.ts';
import type { Runtime } from '../../runtime.ts';
import { subgroupDirectives } from '../../subgroups.ts';
import { sigmoid } from '../activation.ts';
import { type Selection, selectionBody, selectionHead } from '../router.ts';
import { laneMemory, laneSums } from './lanes.ts';
import {
  addProducts,
  declareSums,
  innerElement,
  innerUnits,
  type Products,
  sumNames,
} from './products.ts';

const threads = 256;
const lanes = 32;
/** Experts that the lanes take at a time, so that their weights are on their way together. */
const expertsPerRound = 4;

interface Options extends Selection {
  inner: number;
  epsilon: number;
  normalize: boolean;
  scale: number;
  subgroupSize: number;
}

/** A workgroup a token, since selecting takes the scores of all experts. */
const routeTokens = programs((options: Options) => {
  const { inner, epsilon, normalize, scale, subgroupSize, count, perToken } = options;
  const atOnce = threads / lanes;
  const columns = Math.min(expertsPerRound, Math.ceil(count / atOnce));
  const product: Products = {
    ...{ rows: 1, columns, inner, normed: true },
    ...{ lanes, threads, subgroupSize },
  };
  const units = innerUnits(inner);
  return program({
    name: 'routeTokens',
    directives: subgroupDirectives(subgroupSize),
    bindings: {
      x: `read ${innerElement(inner)}`,
      norm: `read ${innerElement(inner)}`,
      router: `read ${innerElement(inner)}`,
      bias: 'read f32',
      normed: `write ${innerElement(inner)}`,
      experts: 'write i32',
      weights: 'write f32',
    },
    parameters: {},
    threads,
    head: /* wgsl */ `
${sigmoid}
${selectionHead(options)}
${laneMemory(product, sumNames(product).length)}
var<workgroup> scores: array<f32, ${count}>;
var<workgroup> chosen: array<f32, ${perToken}>;`,
    body: /* wgsl */ `
  let row = group.x;
  let lane = thread % ${lanes}u;
  let rowBegin0 = row * ${units}u;
  for (var first = 0u; first < ${count}u; first += ${atOnce * columns}u) {
    ${unroll(
      columns,
      (c) => /* wgsl */ `
    let expert${c} = first + ${c * atOnce}u + thread / ${lanes}u;
    let weightBegin${c} = min(expert${c}, ${count - 1}u) * ${units}u;`,
    )}
    ${declareSums(product)}
    ${addProducts(product, { x: 'x', weights: Array(columns).fill('router'), norm: 'norm' })}
    ${laneSums(sumNames(product), product)}
    let factor = 1.0 / sqrt(squares0 / ${inner}.0 + ${epsilon});
    if (first == 0u) {
      for (var i = thread; i < ${units}u; i += threads) {
        normed[rowBegin0 + i] = x[rowBegin0 + i] * factor * norm[i];
      }
    }
    if (lane == 0u) {
      ${unroll(
        columns,
        (c) => /* wgsl */ `
      if (expert${c} < ${count}u) {
        let score = sigmoid(sum0x${c} * factor);
        scores[expert${c}] = score;
        choice[expert${c}] = score + bias[expert${c}];
      }`,
      )}
    }
  }
  workgroupBarrier();
  ${selectionBody(
    options,
    (place) => /* wgsl */ `
    experts[row * ${perToken}u + ${place}] = i32(e);
    chosen[${place}] = scores[e];`,
  )}
  workgroupBarrier();
  if (thread < ${perToken}u) {
    var sum = ${normalize ? '1e-20' : '1.0'};
    ${normalize ? `for (var j = 0u; j < ${perToken}u; j++) { sum += chosen[j]; }` : ''}
    weights[row * ${perToken}u + thread] = ${scale} * chosen[thread] / sum;
  }`,
  });
});

export function routeTokensKernel(runtime: Runtime): Pick<InferenceKernels, 'routeTokens'> {
  return {
    routeTokens(a) {
      const { x, norm, epsilon, router, bias, groups, selectedGroups } = a;
      const { normalize, scale, normed, experts, weights } = a;
      const program = routeTokens({
        count: router.rows,
        perToken: experts.columns,
        groups,
        selectedGroups,
        inner: x.columns,
        epsilon,
        normalize,
        scale,
        subgroupSize: runtime.subgroupSize,
      });
      const tensors = { x, norm, router, bias, normed, experts, weights };
      runtime.run(program, tensors, {}, [x.rows, 1, 1]);
    },
  };
}
