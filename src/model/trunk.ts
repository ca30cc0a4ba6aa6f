import { gatherRows, rmsNorm } from '../tensor/ops/index.ts';
import type { Scope } from '../tensor/scope.ts';
import type { Tensor } from '../tensor/tensor.ts';
import type { Batch, KeyValueCache } from './batch.ts';
import { block, keysAndValues } from './block.ts';
import { attentionOf } from './config.ts';
import type { Route } from './experts.ts';
import type { Model } from './weights.ts';

export interface TrunkOptions {
  /** Keys and values of earlier calls; without it every sequence begins in this call. */
  cache?: KeyValueCache;
  /** Experts to replay, one i32 [T,k] for each layer of experts, in order. */
  replay?: readonly Tensor[];
  /** See `RoutingOptions`. */
  balanceCoefficient?: number;
}

export interface TrunkResult {
  /** [T, hidden] after the final norm: what the head and, with `post-norm`, the MTP blocks read. */
  hidden: Tensor;
  /** [T, hidden] before the final norm. */
  residual: Tensor;
  /** One for each layer of experts, in order. */
  routes: Route[];
}

/** The model up to its final norm. Training, verification and scoring all run this. */
export function trunk(
  scope: Scope,
  model: Model,
  batch: Batch,
  options: TrunkOptions = {},
): TrunkResult {
  const { config, layers } = model;
  const { x, routes } = runLayers(scope, model, batch, options, layers.length);
  const hidden = rmsNorm(scope, x, model.finalNorm, config.normEpsilon);
  return { hidden, residual: x, routes };
}

/**
 * Passes rows to the cache, for when nothing else is wanted of them: the last layer then only has to know
 * its keys and values.
 */
export function fillCache(scope: Scope, model: Model, batch: Batch, cache: KeyValueCache): void {
  const { config, layers } = model;
  const last = layers.length - 1;
  const { x } = runLayers(scope, model, batch, { cache }, last);
  const { inputNorm, attention } = layers[last]!;
  const { key, value } = scope.nested((inner) => {
    const normed = rmsNorm(inner, x, inputNorm, config.normEpsilon);
    return keysAndValues(inner, normed, attention, attentionOf(config, last), batch);
  });
  cache(last).keep(key, value);
}

/** The embedding and the first `count` layers. */
function runLayers(
  scope: Scope,
  model: Model,
  batch: Batch,
  { cache, replay, balanceCoefficient }: TrunkOptions,
  count: number,
): { x: Tensor; routes: Route[] } {
  const { config } = model;
  const routes: Route[] = [];
  let x = gatherRows(scope, model.embedding, batch.tokens);
  model.layers.slice(0, count).forEach((weights, layer) => {
    const input = x;
    const held = cache?.(layer) ?? null;
    // If a tape runs the layer again, tokens go where they went.
    let chosen = replay?.[routes.length];
    const run = (inner: Scope) => {
      const routing = { replay: chosen, balanceCoefficient };
      const attention = attentionOf(config, layer);
      const { route, hidden, key, value } = block(
        inner,
        input,
        weights,
        config,
        attention,
        batch,
        held,
        routing,
      );
      chosen = route?.experts;
      return { hidden, ...(held && { key, value }), ...route };
    };
    const flow = { inputs: [input], output: ({ hidden }: { hidden: Tensor }) => hidden };
    const result = scope.nested(run, flow);
    if (result.key && result.value) held?.keep(result.key, result.value);
    const { logits, experts, weights: expertWeights, offsets, balanceLoss = null } = result;
    if (logits && experts && expertWeights && offsets) {
      routes.push({ logits, experts, weights: expertWeights, offsets, balanceLoss });
    }
    x = result.hidden;
    if (!scope.tape) scope.release(input);
  });
  return { x, routes };
}
