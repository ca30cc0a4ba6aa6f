import { attention, linear, rmsNorm, rotary } from '../tensor/ops/index.ts';
import type { Scope } from '../tensor/scope.ts';
import type { Tensor } from '../tensor/tensor.ts';
import type { Batch, LayerCache } from './batch.ts';
import type { AttentionConfig, ModelConfig } from './config.ts';
import { denseLayer, expertsLayer, type Route, type RoutingOptions } from './experts.ts';
import type { AttentionWeights, LayerWeights } from './weights.ts';

export interface BlockResult {
  hidden: Tensor;
  /** Rotated keys [T, keyValueHeads·headDim] and values [T, keyValueHeads·valueHeadDim]. */
  key: Tensor;
  value: Tensor;
  route: Route | null;
}

/**
 * One decoder layer: h = x + attention(norm(x)); h + feedForward(norm(h)). The trunk's layers and the
 * MTP blocks are the same.
 */
export function block(
  scope: Scope,
  x: Tensor,
  weights: LayerWeights,
  config: ModelConfig,
  attentionConfig: AttentionConfig,
  batch: Batch,
  cache: LayerCache | null,
  routing: RoutingOptions = {},
): BlockResult {
  const normed = rmsNorm(scope, x, weights.inputNorm, config.normEpsilon);
  const attended = selfAttention(
    scope,
    normed,
    x,
    weights.attention,
    attentionConfig,
    config.valueScale,
    batch,
    cache,
  );
  const { out: middle, key, value } = attended;
  const input = rmsNorm(scope, middle, weights.postAttentionNorm, config.normEpsilon);
  const { feedForward } = weights;
  if (feedForward.kind === 'dense') {
    const hidden = denseLayer(scope, input, feedForward, middle);
    return { hidden, key, value, route: null };
  }
  const { experts } = config;
  const mixed = expertsLayer(scope, input, middle, feedForward, experts, batch.rowStart, routing);
  return { hidden: mixed.out, key, value, route: mixed.route };
}

/** What a layer's attention sees of x, which is normalised: as in `BlockResult`. */
export function keysAndValues(
  scope: Scope,
  x: Tensor,
  weights: AttentionWeights,
  { headDim, rotaryDim, ropeTheta }: AttentionConfig,
  { positions }: Batch,
): { key: Tensor; value: Tensor } {
  const rotation = { headDim, rotaryDim, theta: ropeTheta };
  return {
    key: rotary(scope, linear(scope, x, weights.key), positions, rotation),
    value: linear(scope, x, weights.value),
  };
}

/** residual + attention(x). */
function selfAttention(
  scope: Scope,
  x: Tensor,
  residual: Tensor,
  weights: AttentionWeights,
  config: AttentionConfig,
  valueScale: number,
  batch: Batch,
  cache: LayerCache | null,
): { out: Tensor; key: Tensor; value: Tensor } {
  const { headDim, rotaryDim, ropeTheta } = config;
  const rotation = { headDim, rotaryDim, theta: ropeTheta };
  const query = rotary(scope, linear(scope, x, weights.query), batch.positions, rotation);
  const { key, value } = keysAndValues(scope, x, weights, config, batch);
  cache?.round(key, value);
  const past = cache?.past ?? null;
  const mixed = attention(
    scope,
    { query, key, value, sinks: weights.sinks, rowStart: batch.rowStart, past },
    {
      heads: config.heads,
      keyValueHeads: config.keyValueHeads,
      keyDim: headDim,
      valueDim: config.valueHeadDim,
      scale: headDim ** -0.5,
      // The released code scales the values before they are cached; scaling their weighted sum is the
      // same and saves a pass.
      valueScale,
      window: config.window,
    },
  );
  return { out: linear(scope, mixed, weights.output, { residual }), key, value };
}
