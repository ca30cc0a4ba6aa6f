import type { Device } from '../../../tensor/device.ts';
import type { FusedKernels } from '../../../tensor/fused-kernels.ts';
import type { Matrix } from '../../../tensor/quantized-matrix.ts';
import { composedKernels } from '../../host/composed.ts';
import type { Runtime } from '../runtime.ts';
import { entriesOfExperts, plainEntry } from './expert-entries.ts';
import { route } from './route.ts';
import { formatOf, WeightProducts } from './weight-products.ts';

/** The kernels of several steps that are fewer launches than the steps are. */
export function fusedKernels(runtime: Runtime, device: Device): FusedKernels<Matrix> {
  const products = new WeightProducts(runtime);
  return {
    ...composedKernels(device),

    routedGatedProduct(a) {
      const { x, epsilon, experts, gate, up, out } = a;
      if (x.rows === 0) return;
      const normed = a.normed ?? runtime.scratch(4 * x.size).tensor.reshape(x.shape);
      const activations = products.prepare(x, formatOf(gate), { weight: a.norm, epsilon, normed });
      route(runtime, products, { ...a, normed });
      const entries = entriesOfExperts(runtime, experts, gate.shape[0]!);
      products.multiplyGated(activations, gate, up, out, entries, experts.columns);
    },

    normProduct({ x, rows, norm, epsilon, weight, out }) {
      if (out.rows === 0) return;
      const activations = products.prepare(x, formatOf(weight), { weight: norm, epsilon, rows });
      products.multiply(activations, weight, out, false, plainEntry(runtime, out.rows));
    },

    joinedNormProduct({ aTable, aRows, aNorm, bTable, bRows, bNorm, epsilon, weight, out }) {
      if (out.rows === 0) return;
      const activations = products.prepareJoined(
        { table: aTable, rows: aRows, norm: aNorm },
        { table: bTable, rows: bRows, norm: bNorm },
        epsilon,
        formatOf(weight),
      );
      products.multiply(activations, weight, out, false, plainEntry(runtime, out.rows));
    },
  };
}
