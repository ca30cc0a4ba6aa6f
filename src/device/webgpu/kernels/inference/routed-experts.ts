/**
 * Routing and the experts' gated products in one dispatch, for few tokens: each workgroup routes its token
 * anew, since waiting for another to do it takes longer.
 */
import type { Device } from '../../../../tensor/device.ts';
import type { FusedKernels } from '../../../../tensor/fused-kernels.ts';
import type { Matrix } from '../../../../tensor/quantized-matrix.ts';
import { within } from '../../../../tensor/scope.ts';
import { program, programs, unroll } from '../../program.ts';
import type { Runtime } from '../../runtime.ts';
import { subgroupDirectives } from '../../subgroups.ts';
import { bitsOf, memoryOf, type WeightBits } from '../quantized-weights.ts';
import {
  beginWeights,
  innerElement,
  innerUnits,
  isWorthRepeating,
  lanesFor,
  type Products,
  productMemory,
  sumProducts,
  weightElement,
} from './products.ts';
import {
  keepNormed,
  type Routing,
  routing,
  routingBindings,
  routingHead,
  routingProduct,
  routingThreads as threads,
} from './route-tokens.ts';

interface Options extends Routing {
  columns: number;
  keepsNormed: boolean;
  bits: WeightBits;
}

/** A workgroup some columns of one of a token's experts. The first of a token keeps its routing. */
const routedGatedProduct = programs((options: Options) => {
  const { inner, columns, perToken, keepsNormed, subgroupSize, bits } = options;
  const lanes = lanesFor(inner, bits);
  const product: Products = {
    ...{ rows: 1, columns: 2, inner, normed: true, bits },
    ...{ lanes, threads, subgroupSize },
  };
  const element = innerElement(inner);
  return program({
    name: 'routedGatedProduct',
    directives: subgroupDirectives(subgroupSize),
    bindings: {
      ...routingBindings(options),
      gate: `read ${weightElement(inner, bits)}`,
      up: `read ${weightElement(inner, bits)}`,
      normed: keepsNormed ? `write ${element}` : null,
      experts: 'write i32',
      weights: 'write f32',
      out: 'write f32',
    },
    parameters: {},
    threads,
    head: /* wgsl */ `
${routingHead(options)}
${productMemory(product, routingProduct(options))}`,
    body: /* wgsl */ `
  let row = group.y / ${perToken}u;
  let place = group.y % ${perToken}u;
  ${routing(options, 'place')}
  if (group.x == 0u && thread == 0u) {
    experts[group.y] = i32(chosenExpert[place]);
    weights[group.y] = weightOf;
  }
  ${keepsNormed ? `if (group.x == 0u && place == 0u) {${keepNormed(inner)}\n  }` : ''}
  let lane = thread % ${lanes}u;
  let column = group.x * ${threads / lanes}u + thread / ${lanes}u;
  let rowBegin0 = row * ${innerUnits(inner)}u;
  ${unroll(2, (c) => beginWeights(product, c, `chosenExpert[place] * ${columns}u + min(column, ${columns - 1}u)`))}
  ${sumProducts(product, { x: 'x', weights: ['gate', 'up'], norm: 'norm' })}
  if (lane == 0u && column < ${columns}u) {
    let a = sum0x0 * inverseRms;
    out[group.y * ${columns}u + column] = a * sigmoid(a) * sum0x1 * inverseRms;
  }`,
  });
});

export function routedExpertsKernel(
  runtime: Runtime,
  device: Device,
  composed: FusedKernels<Matrix>,
): Pick<FusedKernels<Matrix>, 'addRoutedExperts'> {
  const { limits, subgroupSize } = runtime;
  return {
    addRoutedExperts(call) {
      const { x, norm, router, bias, normed, experts, weights, gate, up, down, out } = call;
      const [inner, columns, bits] = [x.columns, gate.shape[1]!, bitsOf(gate)];
      const perGroup = threads / lanesFor(inner, bits);
      const groups = [Math.ceil(columns / perGroup), experts.size, 1] as const;
      const bindings = normed ? 10 : 9;
      if (
        !isWorthRepeating(router.byteLength, groups[0] * groups[1]) ||
        bindings > limits.storageBuffers ||
        threads > limits.threadsPerGroup
      ) {
        composed.addRoutedExperts(call);
        return;
      }
      within(device, (scope) => {
        const hidden = scope.empty([experts.size, columns]);
        runtime.run(
          routedGatedProduct({
            count: router.rows,
            perToken: experts.columns,
            groups: call.groups,
            selectedGroups: call.selectedGroups,
            inner,
            epsilon: call.epsilon,
            normalize: call.normalize,
            scale: call.scale,
            columns,
            keepsNormed: normed !== null,
            subgroupSize,
            bits,
          }),
          {
            ...{ x, norm, router, bias, normed, experts, weights, out: hidden },
            ...{ gate: memoryOf(gate), up: memoryOf(up) },
          },
          {},
          groups,
        );
        device.kernels.addExpertProducts({ x: hidden, experts, weights, down, out });
      });
    },
  };
}
