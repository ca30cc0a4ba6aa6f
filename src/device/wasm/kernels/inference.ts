import type { InferenceKernels } from '../../../tensor/inference-kernels.ts';
import type { Kernels } from '../../../tensor/kernels.ts';
import { type Matrix, QuantizedMatrix } from '../../../tensor/quantized-matrix.ts';
import { type Runtime, read, write } from '../runtime.ts';
import { attentionInputsKernel } from './attention-inputs.ts';
import { entriesOfExperts, entriesOfOffsets, plainEntry } from './expert-entries.ts';
import { rowGrain } from './grain.ts';
import { route } from './route.ts';
import { formatOf, WeightProducts } from './weight-products.ts';

type InferenceProducts = Pick<
  InferenceKernels<Matrix>,
  | 'attentionInputs'
  | 'normGatedProduct'
  | 'routeTokens'
  | 'expertGatedProduct'
  | 'addExpertProducts'
>;

/**
 * Inference on weights of any format, a kernel or two a call. A row's sums are the same whatever other rows
 * a step has: what a request is answered does not depend on its neighbours.
 */
export function inferenceKernels(runtime: Runtime): InferenceProducts {
  const products = new WeightProducts(runtime);
  return {
    ...attentionInputsKernel(runtime, products),

    normGatedProduct(a) {
      const { x, gate, up, out } = a;
      if (x.rows === 0) return;
      const norm = { weight: a.norm, epsilon: a.epsilon };
      const activations = products.prepare(x, formatOf(gate), norm);
      products.multiplyGated(activations, gate, up, out, plainEntry(runtime, x.rows));
    },

    routeTokens(a) {
      const { x, epsilon, normed } = a;
      if (x.rows === 0) return;
      products.prepare(x, formatOf(a.router), { weight: a.norm, epsilon, normed });
      route(runtime, products, { ...a, normed });
    },

    expertGatedProduct(a) {
      const { x, experts, gate, up, out } = a;
      if (x.rows === 0) return;
      const entries = entriesOfExperts(runtime, experts, gate.shape[0]!);
      const activations = products.prepare(x, formatOf(gate));
      products.multiplyGated(activations, gate, up, out, entries, experts.columns);
    },

    addExpertProducts(a) {
      const { x, experts, weights, down, out } = a;
      if (x.rows === 0) return;
      const entries = entriesOfExperts(runtime, experts, down.shape[0]!);
      const activations = products.prepare(x, formatOf(down));
      products.addExperts(activations, down, weights, out, entries);
    },
  };
}

/** The kernels that also take quantised weights, and products of steps, given those for f32. */
export function withQuantizedWeights(
  runtime: Runtime,
  base: Pick<Kernels<Matrix>, 'matmul' | 'groupedMatmul' | 'gatherRows' | 'copy'>,
): Pick<Kernels<Matrix>, 'matmul' | 'groupedMatmul' | 'gatherRows'> {
  const products = new WeightProducts(runtime);
  return {
    matmul(a) {
      // The router is exact: with quantised weights, tokens of prompts go where they would go in a step.
      const isStep = a.step || (a.exact && a.transposeB && !a.transposeA);
      if (!isStep && !(a.b instanceof QuantizedMatrix)) return base.matmul(a);
      if (a.transposeA || !a.transposeB) throw new Error(transposed);
      if (a.a.rows === 0) return;
      if (a.residual) base.copy({ source: a.residual, out: a.out });
      const accumulate = a.accumulate || Boolean(a.residual);
      const activations = products.prepare(a.a, formatOf(a.b));
      products.multiply(activations, a.b, a.out, accumulate, plainEntry(runtime, a.a.rows));
    },

    groupedMatmul(a) {
      if (!(a.b instanceof QuantizedMatrix)) return base.groupedMatmul(a);
      if (!a.transposeB || a.second) throw new Error(transposed);
      const entries = entriesOfOffsets(runtime, runtime.ints(a.offsets));
      if (entries.count === 0) return;
      const activations = products.prepare(a.a, a.b.bits);
      products.multiply(activations, a.b, a.out, a.accumulate, entries);
    },

    gatherRows(a) {
      const { table, indices, out } = a;
      if (!(table instanceof QuantizedMatrix)) return base.gatherRows(a);
      const { columns, bits, words } = table;
      const args = [read(words), read(indices), write(out), columns, bits, products.offsetOf(bits)];
      runtime.launch('gatherQuantized', args, indices.size, rowGrain(8 * columns));
    },
  };
}

const transposed = 'quantised weights are multiplied from the right, transposed, one at a time';
