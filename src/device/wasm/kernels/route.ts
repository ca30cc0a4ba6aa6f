import type { InferenceKernels } from '../../../tensor/inference-kernels.ts';
import { type Runtime, read, write } from '../runtime.ts';
import { plainEntry } from './expert-entries.ts';
import { rowGrain } from './grain.ts';
import { formatOf, type WeightProducts } from './weight-products.ts';

type Routing = Omit<Parameters<InferenceKernels['routeTokens']>[0], 'x' | 'norm' | 'epsilon'>;

/** What an exponential in f64 costs, in elements of a simple kernel. */
const exponentialCost = 16;

/** Chooses the experts of rows that are normalised, and weights them: see `routeTokens`. */
export function route(runtime: Runtime, products: WeightProducts, a: Routing): void {
  const { router, bias, groups, selectedGroups, normalize, scale, normed, experts, weights } = a;
  const [count, perToken] = [router.rows, experts.columns];
  const logits = runtime.scratch(4 * normed.rows * count).tensor.reshape([normed.rows, count]);
  const activations = products.prepare(normed, formatOf(router));
  products.multiply(activations, router, logits, false, plainEntry(runtime, normed.rows));
  const choices = runtime.scratch(runtime.threads * (count * 8 + 32));
  const tensors = [read(logits), read(bias), write(experts), write(weights), choices];
  const args = [...tensors, count, perToken, groups, selectedGroups, Number(normalize), scale];
  const grain = rowGrain(count * (exponentialCost + perToken));
  runtime.launch('routeRows', args, normed.rows, grain);
}
