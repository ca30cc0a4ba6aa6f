import type { InferenceKernels } from '../../../../tensor/inference-kernels.ts';
import { program, programs, unroll } from '../../program.ts';
import type { Runtime } from '../../runtime.ts';
import { subgroupDirectives } from '../../subgroups.ts';
import { sigmoid } from '../activation.ts';
import { type Selection, selectionBody, selectionHead } from '../router.ts';
import {
  beginWeights,
  innerElement,
  innerUnits,
  type Products,
  productMemory,
  sumProducts,
} from './products.ts';

export const routingThreads = 256;
const lanes = 32;
/** Experts that the lanes take at a time, so that their weights are on their way together. */
const expertsPerRound = 4;

export interface Routing extends Selection {
  inner: number;
  epsilon: number;
  normalize: boolean;
  scale: number;
  subgroupSize: number;
}

/** The tensors that routing reads. */
export const routingBindings = ({ inner }: Routing) =>
  ({
    x: `read ${innerElement(inner)}`,
    norm: `read ${innerElement(inner)}`,
    router: `read ${innerElement(inner)}`,
    bias: 'read f32',
  }) as const;

/** The products with a round of experts. */
export function routingProduct({ inner, count, subgroupSize }: Routing): Products {
  const columns = Math.min(expertsPerRound, Math.ceil(count / (routingThreads / lanes)));
  const shared = { lanes, threads: routingThreads, subgroupSize };
  return { rows: 1, columns, inner, normed: true, ...shared };
}

/** What `routing` needs outside of `main`, besides the memory of lanes. */
export const routingHead = (options: Routing) => /* wgsl */ `
${sigmoid}
${selectionHead(options)}
var<workgroup> scores: array<f32, ${options.count}>;
var<workgroup> chosen: array<f32, ${options.perToken}>;
var<workgroup> chosenExpert: array<u32, ${options.perToken}>;`;

/**
 * Routes the token `row`: declares `weightOf` as the weight of its expert number `place`, to be found in
 * `chosenExpert[place]`, and `inverseRms`. The whole workgroup works on it.
 */
export function routing(options: Routing, place: string): string {
  const { inner, epsilon, normalize, scale, count, perToken } = options;
  const product = routingProduct(options);
  const { columns } = product;
  const atOnce = routingThreads / lanes;
  const units = innerUnits(inner);
  return /* wgsl */ `
  var inverseRms = 0.0;
  for (var first = 0u; first < ${count}u; first += ${atOnce * columns}u) {
    let lane = thread % ${lanes}u;
    let rowBegin0 = row * ${units}u;
    ${unroll(
      columns,
      (c) => /* wgsl */ `
    let expert${c} = first + ${c * atOnce}u + thread / ${lanes}u;
    ${beginWeights(product, c, `min(expert${c}, ${count - 1}u)`)}`,
    )}
    ${sumProducts(product, { x: 'x', weights: Array(columns).fill('router'), norm: 'norm' })}
    inverseRms = 1.0 / sqrt(squares0 / ${inner}.0 + ${epsilon});
    if (lane == 0u) {
      ${unroll(
        columns,
        (c) => /* wgsl */ `
      if (expert${c} < ${count}u) {
        let score = sigmoid(sum0x${c} * inverseRms);
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
    chosenExpert[${place}] = e;
    chosen[${place}] = scores[e];`,
  )}
  workgroupBarrier();
  var scoreSum = ${normalize ? '1e-20' : '1.0'};
  ${normalize ? `for (var j = 0u; j < ${perToken}u; j++) { scoreSum += chosen[j]; }` : ''}
  let weightOf = ${scale} * chosen[${place}] / scoreSum;`;
}

/** Writes a normalised row. */
export const keepNormed = (inner: number) => /* wgsl */ `
    for (var i = row * ${innerUnits(inner)}u + thread; i < (row + 1u) * ${innerUnits(inner)}u; i += threads) {
      normed[i] = x[i] * inverseRms * norm[i - row * ${innerUnits(inner)}u];
    }`;

/** A workgroup a token, since selecting takes the scores of all experts. */
const routeTokens = programs((options: Routing) => {
  const { inner, subgroupSize, perToken } = options;
  const product = routingProduct(options);
  return program({
    name: 'routeTokens',
    directives: subgroupDirectives(subgroupSize),
    bindings: {
      ...routingBindings(options),
      normed: `write ${innerElement(inner)}`,
      experts: 'write i32',
      weights: 'write f32',
    },
    parameters: {},
    threads: routingThreads,
    head: `${routingHead(options)}\n${productMemory(product)}`,
    body: /* wgsl */ `
  let row = group.x;
  let place = min(thread, ${perToken - 1}u);
  ${routing(options, 'place')}
  ${keepNormed(inner)}
  if (thread < ${perToken}u) {
    experts[row * ${perToken}u + thread] = i32(chosenExpert[thread]);
    weights[row * ${perToken}u + thread] = weightOf;
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
