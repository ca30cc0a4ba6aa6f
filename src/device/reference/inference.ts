/** The kernels of `InferenceKernels` that are put together from those of training. */
import type { Device } from '../../tensor/device.ts';
import type { InferenceKernels } from '../../tensor/inference-kernels.ts';
import {
  groupByExpert,
  groupedLinear,
  groupedSwiglu,
  linear,
  rmsNorm,
} from '../../tensor/ops/index.ts';
import { within } from '../../tensor/scope.ts';
import { cacheRow } from '../host/cache-row.ts';
import { ints } from './memory.ts';

export function inferenceKernels(
  device: Device,
): Pick<
  InferenceKernels,
  | 'attentionInputs'
  | 'normGatedProduct'
  | 'routeTokens'
  | 'expertGatedProduct'
  | 'addExpertProducts'
> {
  return {
    attentionInputs({ x, norm, epsilon, weight, query, cache, ...shape }) {
      const { heads, keyValueHeads, headDim, rotaryDim, theta } = shape;
      const { kernels } = device;
      within(device, (scope) => {
        const normed = rmsNorm(scope, x, norm, epsilon);
        const keysBegin = heads * headDim;
        const valuesBegin = keysBegin + keyValueHeads * headDim;
        kernels.matmul({
          a: normed.slice(0, query.rows),
          b: weight.slice(0, keysBegin),
          out: query,
          transposeA: false,
          transposeB: true,
          accumulate: false,
        });
        const key = linear(scope, normed, weight.slice(keysBegin, valuesBegin));
        const value = linear(scope, normed, weight.slice(valuesBegin, weight.rows));
        for (const heads of [query, key]) {
          const positions = cache.layout.slice(0, heads.rows);
          const rotation = { positions, headDim, rotaryDim, theta, inverse: false };
          kernels.rotary({ x: heads, out: heads, ...rotation });
        }
        const layout = ints(cache.layout);
        const places = Int32Array.from({ length: x.rows }, (_, row) =>
          cacheRow(cache, x.rows, layout, layout[x.rows + row]!, layout[row]!),
        );
        const indices = scope.from([x.rows], places);
        const { keys, values } = cache;
        kernels.writeCachedRows({ key, value, indices, keyValueHeads, keys, values });
      });
    },

    normGatedProduct({ x, norm, epsilon, gate, up, out }) {
      within(device, (scope) => {
        const normed = rmsNorm(scope, x, norm, epsilon);
        const [gated, other] = [linear(scope, normed, gate), linear(scope, normed, up)];
        device.kernels.swiglu({ gate: gated, up: other, out });
      });
    },

    routeTokens({ x, norm, epsilon, router, bias, normed, experts, weights, ...options }) {
      const { kernels } = device;
      const { groups, selectedGroups, normalize, scale } = options;
      within(device, (scope) => {
        const inverseRms = scope.empty([x.rows]);
        kernels.rmsNorm({ x, weight: norm, epsilon, out: normed, inverseRms });
        const logits = linear(scope, normed, router, { exact: true });
        kernels.selectExperts({ logits, bias, groups, selectedGroups, experts });
        kernels.expertWeights({ logits, experts, normalize, scale, weights });
      });
    },

    expertGatedProduct({ x, experts, gate, up, out }) {
      within(device, (scope) => {
        const groups = groupByExpert(scope, experts, gate.shape[0]!);
        const sorted = groupedSwiglu(scope, x, gate, up, groups);
        const indices = groups.rows.reshape([out.rows]);
        device.kernels.gatherRows({ table: sorted, indices, out });
      });
    },

    addExpertProducts({ x, experts, weights, down, out }) {
      const { kernels } = device;
      within(device, (scope) => {
        const groups = groupByExpert(scope, experts, down.shape[0]!);
        const sorted = scope.empty(x.shape);
        kernels.writeRows({ source: x, indices: groups.rows.reshape([x.rows]), out: sorted });
        const source = groupedLinear(scope, sorted, down, groups.offsets);
        const combined = scope.empty(out.shape);
        kernels.combineRows({ source, rows: groups.rows, weights, out: combined });
        kernels.add({ a: out, b: combined, out });
      });
    },
  };
}
