import type { InferenceKernels } from '../../../tensor/inference-kernels.ts';
import type { Matrix } from '../../../tensor/quantized-matrix.ts';
import { fillRotaryTable } from '../../../tensor/rotary-table.ts';
import type { Tensor } from '../../../tensor/tensor.ts';
import { cacheRow } from '../../host/cache-row.ts';
import type { Runtime } from '../runtime.ts';
import { CompactCache } from './compact-cache.ts';
import { formatOf, type WeightProducts } from './weight-products.ts';

/**
 * Queries, keys and values, the latter two to the cache: see `InferenceKernels`. One launch does it all
 * but where weights and cache are in different heaps, and it would have to copy the one or the other.
 */
export function attentionInputsKernel(
  runtime: Runtime,
  products: WeightProducts,
): Pick<InferenceKernels<Matrix>, 'attentionInputs'> {
  const compact = new CompactCache(runtime);
  return {
    attentionInputs(a) {
      const { x, weight, cache, query, rotaryDim, keyValueHeads, headDim, valueDim } = a;
      const { rows } = x;
      if (rows === 0) return;
      const norm = { weight: a.norm, epsilon: a.epsilon };
      const activations = products.prepare(x, formatOf(weight), norm);
      const rotation = rotationOf(runtime, cache.layout.slice(0, rows), rotaryDim, a.theta);
      const indices = runtime.scratchIntegers(rows);
      const [layout, places] = [runtime.ints(cache.layout), runtime.ints(indices)];
      for (let row = 0; row < rows; row++) {
        places[row] = cacheRow(cache, rows, layout, layout[rows + row]!, layout[row]!);
      }
      if (runtime.areTogether(weight, cache.keys, cache.values)) {
        products.attentionInputs(activations, weight, a, rotation, query, { ...cache, indices });
        return;
      }
      const floats = (columns: number) =>
        runtime.scratch(4 * rows * columns).tensor.reshape([rows, columns]);
      const key = floats(keyValueHeads * headDim);
      const value = floats(keyValueHeads * valueDim);
      const inOrder = runtime.scratchIntegers(rows);
      runtime.ints(inOrder).forEach((_, row, all) => {
        all[row] = row;
      });
      const beside = { keys: key, values: value, indices: inOrder };
      products.attentionInputs(activations, weight, a, rotation, query, beside);
      compact.writeRows({ ...cache, key, value, indices, keyValueHeads });
    },
  };
}

function rotationOf(runtime: Runtime, positions: Tensor, rotaryDim: number, theta: number) {
  const size = positions.size * (rotaryDim / 2);
  const [cos, sin] = [runtime.scratch(size * 4), runtime.scratch(size * 4)];
  const table = { cos: runtime.floats(cos.tensor), sin: runtime.floats(sin.tensor) };
  fillRotaryTable(runtime.ints(positions), rotaryDim, theta, table);
  return { rotaryDim, cos, sin };
}
