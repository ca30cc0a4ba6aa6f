/**
 * The model on few rows of inference: decoding, drafting and verifying. The same layers as in `trunk.ts`
 * and `mtp.ts`, without gradients, in six kernels each (see `InferenceKernels`). Rows are in any order;
 * each writes its keys and values into the cache and then sees all of its sequence up to itself.
 */
import type { CachedRows } from '../tensor/inference-kernels.ts';
import { concatColumns, gatherRows, linear, rmsNorm, swiglu } from '../tensor/ops/index.ts';
import type { Matrix } from '../tensor/quantized-matrix.ts';
import type { Scope } from '../tensor/scope.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { type AttentionConfig, attentionOf, type ModelConfig } from './config.ts';
import { addExpertProducts } from './experts.ts';
import type {
  AttentionWeights,
  DenseWeights,
  ExpertsWeights,
  LayerWeights,
  Model,
} from './weights.ts';

/** The cache of a slot: the trunk's layers, then the MTP blocks. */
export type StepCache = (slot: number) => CachedRows;

export interface StepResult {
  /** [T, hidden] after the final norm. */
  hidden: Tensor;
  /** [T, hidden] before it. */
  residual: Tensor;
  /** i32 [T,k]: the experts of each layer of experts, in order. */
  experts: Tensor[];
}

/** The trunk on rows of tokens i32 [T]. `routes`: where each layer's experts go, if anywhere. */
export function stepTrunk(
  scope: Scope,
  model: Model,
  tokens: Tensor,
  cache: StepCache,
  routes: readonly Tensor[] = [],
): StepResult {
  const { config } = model;
  const x = gatherRows(scope, model.embedding, tokens);
  const experts: Tensor[] = [];
  model.layers.forEach((weights, layer) => {
    const attention = attentionOf(config, layer);
    const route = routes[experts.length];
    const chosen = stepBlock(scope, config, x, weights, attention, cache(layer), route);
    if (chosen) experts.push(chosen);
  });
  return { hidden: rmsNorm(scope, x, model.finalNorm, config.normEpsilon), residual: x, experts };
}

/**
 * MTP block `head` on rows whose trunk states are `hidden`; `tokens` holds token t+1+head for the row of
 * position t. → [T, hidden] after the block's final norm.
 */
export function stepMtpBlock(
  scope: Scope,
  model: Model,
  head: number,
  tokens: Tensor,
  hidden: Tensor,
  cache: StepCache,
): Tensor {
  const { config } = model;
  const weights = model.mtp[head]!;
  const norm = (x: Tensor, weight: Tensor) => rmsNorm(scope, x, weight, config.normEpsilon);
  const embedded = norm(gatherRows(scope, model.embedding, tokens), weights.embeddingNorm);
  const joined = concatColumns(scope, embedded, norm(hidden, weights.hiddenNorm));
  const x = linear(scope, joined, weights.projection);
  const slot = config.layers.length + head;
  stepBlock(scope, config, x, weights.block, config.slidingAttention, cache(slot));
  return norm(x, weights.finalNorm);
}

/** One decoder layer, added to x in its place. Returns the experts, if it has any. */
function stepBlock(
  scope: Scope,
  config: ModelConfig,
  x: Tensor,
  weights: LayerWeights,
  attention: AttentionConfig,
  cache: CachedRows,
  route?: Tensor,
): Tensor | null {
  const { postAttentionNorm, feedForward } = weights;
  const { experts } = scope.nested((inner) => {
    addAttention(inner, config, x, weights.inputNorm, weights.attention, attention, cache);
    if (feedForward.kind === 'experts') {
      return { experts: addExperts(inner, config, x, postAttentionNorm, feedForward, route) };
    }
    addDense(inner, config, x, postAttentionNorm, feedForward);
    return { experts: null };
  });
  return experts;
}

function addAttention(
  scope: Scope,
  config: ModelConfig,
  x: Tensor,
  norm: Tensor,
  weights: AttentionWeights,
  attention: AttentionConfig,
  cache: CachedRows,
): void {
  const { kernels } = scope.device;
  const { heads, keyValueHeads, headDim, valueHeadDim, rotaryDim, ropeTheta, window } = attention;
  const query = scope.empty([x.rows, heads * headDim]);
  kernels.attentionInputs({
    x,
    norm,
    epsilon: config.normEpsilon,
    weight: weights.queryKeyValue,
    heads,
    keyValueHeads,
    headDim,
    valueDim: valueHeadDim,
    rotaryDim,
    theta: ropeTheta,
    query,
    cache,
  });
  const mixed = scope.empty([x.rows, heads * valueHeadDim]);
  kernels.cachedAttention({
    heads,
    keyValueHeads,
    keyDim: headDim,
    valueDim: valueHeadDim,
    scale: headDim ** -0.5,
    valueScale: config.valueScale,
    window,
    query,
    sinks: weights.sinks,
    cache,
    out: mixed,
  });
  addProduct(scope, mixed, weights.output, x);
}

function addDense(
  scope: Scope,
  config: ModelConfig,
  x: Tensor,
  norm: Tensor,
  { gate, up, down }: DenseWeights,
): void {
  const hidden = scope.empty([x.rows, gate.shape[0]!]);
  const { normEpsilon: epsilon } = config;
  scope.device.kernels.normGatedProduct({ x, norm, epsilon, gate, up, out: hidden });
  addProduct(scope, hidden, down, x);
}

function addExperts(
  scope: Scope,
  config: ModelConfig,
  x: Tensor,
  norm: Tensor,
  weights: ExpertsWeights,
  experts = scope.empty([x.rows, config.experts.perToken], 'i32'),
): Tensor {
  const { kernels } = scope.device;
  const { groups, selectedGroups, normalizeWeights, scalingFactor } = config.experts;
  const normed = scope.empty(x.shape);
  const routed = scope.empty([x.rows, config.experts.perToken]);
  kernels.routeTokens({
    x,
    norm,
    epsilon: config.normEpsilon,
    router: weights.router,
    bias: weights.selectionBias,
    groups,
    selectedGroups,
    normalize: normalizeWeights,
    scale: scalingFactor,
    normed,
    experts,
    weights: routed,
  });
  addExpertProducts(scope, normed, experts, routed, weights, x);
  const { shared } = weights;
  if (shared) {
    const [gated, other] = [linear(scope, normed, shared.gate), linear(scope, normed, shared.up)];
    addProduct(scope, swiglu(scope, gated, other), shared.down, x);
  }
  return experts;
}

/** x [T,N] += a·weightᵀ; weight [N,K]. */
function addProduct(scope: Scope, a: Tensor, weight: Matrix, x: Tensor): void {
  scope.device.kernels.matmul({
    a,
    b: weight,
    out: x,
    transposeA: false,
    transposeB: true,
    accumulate: true,
  });
}
