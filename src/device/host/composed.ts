/** The kernels of `FusedKernels`, each as the kernels of the device that it stands for. */
import type { Device } from '../../tensor/device.ts';
import type { FusedKernels } from '../../tensor/fused-kernels.ts';
import { concatColumns, gatherRows, rmsNorm } from '../../tensor/ops/index.ts';
import type { Matrix } from '../../tensor/quantized-matrix.ts';
import { within } from '../../tensor/scope.ts';
import type { Tensor } from '../../tensor/tensor.ts';

const productWithWeight = { transposeA: false, transposeB: true, step: true };

export function composedKernels(device: Device): FusedKernels<Matrix> {
  return {
    embedAttentionInputs({ table, tokens, ...call }) {
      const { kernels } = device;
      kernels.gatherRows({ table, indices: tokens, out: call.x });
      kernels.attentionInputs(call);
    },

    addAttention({ weight, out, ...call }) {
      const { kernels } = device;
      within(device, (scope) => {
        const mixed = scope.empty([out.rows, call.heads * call.valueDim]);
        kernels.cachedAttention({ ...call, out: mixed });
        kernels.matmul({ a: mixed, b: weight, out, ...productWithWeight, accumulate: true });
      });
    },

    addExperts({ x, experts, weights, gate, up, down, out }) {
      const { kernels } = device;
      within(device, (scope) => {
        const hidden = scope.empty([experts.size, gate.shape[1]!]);
        kernels.expertGatedProduct({ x, experts, gate, up, out: hidden });
        kernels.addExpertProducts({ x: hidden, experts, weights, down, out });
      });
    },

    addRoutedExperts({ gate, up, down, out, normed, ...call }) {
      const { kernels } = device;
      const { experts, weights } = call;
      within(device, (scope) => {
        const x = normed ?? scope.empty(call.x.shape);
        kernels.routeTokens({ ...call, normed: x });
        kernels.addExperts({ x, experts, weights, gate, up, down, out });
      });
    },

    normProduct({ x, rows, norm, epsilon, weight, out }) {
      within(device, (scope) => {
        const chosen = rows ? gatherRows(scope, x, rows) : x;
        const a = rmsNorm(scope, chosen, norm, epsilon);
        device.kernels.matmul({ a, b: weight, out, ...productWithWeight, accumulate: false });
      });
    },

    joinedNormProduct({ aTable, aRows, aNorm, bTable, bRows, bNorm, epsilon, weight, out }) {
      within(device, (scope) => {
        const normed = (table: Matrix, rows: Tensor, norm: Tensor) =>
          rmsNorm(scope, gatherRows(scope, table, rows), norm, epsilon);
        const a = concatColumns(scope, normed(aTable, aRows, aNorm), normed(bTable, bRows, bNorm));
        device.kernels.matmul({ a, b: weight, out, ...productWithWeight, accumulate: false });
      });
    },

    sampleTokens({ uniforms, places, out, ...call }) {
      const { kernels } = device;
      kernels.samplingDistribution(call);
      kernels.drawTokens({ probabilities: call.logits, uniforms, places, out });
    },
  };
}
