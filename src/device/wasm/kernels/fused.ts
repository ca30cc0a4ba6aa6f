import type { Device } from '../../../tensor/device.ts';
import type { FusedKernels } from '../../../tensor/fused-kernels.ts';
import type { Matrix } from '../../../tensor/quantized-matrix.ts';
import { composedKernels } from '../../host/composed.ts';
import type { Runtime } from '../runtime.ts';
import { entriesOfExperts, plainEntry } from './expert-entries.ts';
import { route } from './route.ts';
import { type Activations, formatOf, WeightProducts } from './weight-products.ts';

/** What the experts' products take, after the rows themselves. */
type ExpertsCall = Omit<Parameters<FusedKernels<Matrix>['addExperts']>[0], 'x'>;

/** The kernels of several steps that are fewer launches than the steps are. */
export function fusedKernels(runtime: Runtime, device: Device): FusedKernels<Matrix> {
  const products = new WeightProducts(runtime);

  /** Which rows each expert has is counted once, for the products into the hidden columns and out of them. */
  function addExperts(
    activations: Activations,
    { experts, weights, gate, up, down, out }: ExpertsCall,
  ): void {
    const [count, columns] = gate.shape as [number, number];
    const entries = entriesOfExperts(runtime, experts, count);
    const hidden = runtime.scratch(4 * experts.size * columns).tensor;
    const x = hidden.reshape([experts.size, columns]);
    products.multiplyGated(activations, gate, up, x, entries, experts.columns);
    products.addExperts(products.prepare(x, formatOf(down)), down, weights, out, entries);
  }

  return {
    ...composedKernels(device),

    addExperts(a) {
      if (a.x.rows === 0) return;
      addExperts(products.prepare(a.x, formatOf(a.gate)), a);
    },

    addRoutedExperts(a) {
      const { x, epsilon, gate } = a;
      if (x.rows === 0) return;
      const normed = a.normed ?? runtime.scratch(4 * x.size).tensor.reshape(x.shape);
      const activations = products.prepare(x, formatOf(gate), { weight: a.norm, epsilon, normed });
      route(runtime, products, { ...a, normed });
      addExperts(activations, a);
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
