/**
 * The model on few rows of inference: decoding, drafting and verifying. The same layers as in `trunk.ts`
 * and `mtp.ts`, without gradients, in three or four kernels each (see `InferenceKernels` and
 * `FusedKernels`). Rows are in any order; each writes its keys and values into the cache and then sees all
 * of its sequence up to itself.
 */
import type { CachedRows } from '../tensor/inference-kernels.ts';
import { linear, rmsNorm, swiglu } from '../tensor/ops/index.ts';
import type { Matrix } from '../tensor/quantized-matrix.ts';
import { type Scope, within } from '../tensor/scope.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { type AttentionConfig, attentionOf, type ModelConfig } from './config.ts';
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
  /** [T, hidden] before the final norm. */
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
  const x = scope.empty([tokens.size, config.hiddenSize]);
  const experts: Tensor[] = [];
  model.layers.forEach((weights, layer) => {
    const embedding = layer === 0 ? { table: model.embedding, tokens } : null;
    const attention = attentionOf(config, layer);
    const route = routes[experts.length];
    const chosen = stepBlock(scope, config, x, weights, attention, cache(layer), embedding, route);
    if (chosen) experts.push(chosen);
  });
  return { residual: x, experts };
}

/** The first rows of an MTP block, which go through all of it, and the cache as these see it. */
export interface DraftingRows {
  count: number;
  cache: StepCache;
}

/**
 * MTP block `head`; `tokens` holds token t+1+head for the row of position t, whose trunk state (see
 * `stepStates`) is row `stateRows` of `states`. Every row leaves its key and value in the cache; the
 * drafting ones give [rows, hidden] before the block's final norm.
 */
export function stepMtpBlock(
  scope: Scope,
  model: Model,
  head: number,
  tokens: Tensor,
  states: Tensor,
  stateRows: Tensor,
  cache: StepCache,
  drafting: DraftingRows,
): Tensor {
  const { config } = model;
  const weights = model.mtp[head]!;
  const x = scope.empty([tokens.size, config.hiddenSize]);
  scope.device.kernels.joinedNormProduct({
    aTable: model.embedding,
    aRows: tokens,
    aNorm: weights.embeddingNorm,
    bTable: states,
    bRows: stateRows,
    bNorm: weights.hiddenNorm,
    epsilon: config.normEpsilon,
    weight: weights.projection,
    out: x,
  });
  const slot = config.layers.length + head;
  const out = x.slice(0, drafting.count);
  within(scope.device, (inner) => {
    const { block } = weights;
    const attention = config.slidingAttention;
    // Where none drafts, what is computed for one row is of no use.
    const queries = Math.max(1, out.rows);
    const kept = cache(slot);
    const query = attentionQueries(inner, config, x, queries, block, attention, kept, null);
    if (out.rows === 0) return;
    addAttention(inner, config, out, query, block.attention, attention, drafting.cache(slot));
    addFeedForward(inner, config, out, block);
  });
  return out;
}

/** What MTP blocks read of the trunk: the states after or before its final norm, as in `mtpInput`. */
export function stepStates(scope: Scope, { config, finalNorm }: Model, residual: Tensor): Tensor {
  if (config.mtpHidden !== 'post-norm') return residual;
  return rmsNorm(scope, residual, finalNorm, config.normEpsilon);
}

/**
 * The logits [S,V] of some rows of what the trunk or a block gave, by its final norm: the rows of i32 [S],
 * of which −1 gives zeros; null for all.
 */
export function stepLogits(
  { config, head, device }: Model,
  norm: Tensor,
  x: Tensor,
  rows: Tensor | null,
  out: Tensor,
): void {
  device.kernels.normProduct({ x, rows, norm, epsilon: config.normEpsilon, weight: head, out });
}

/** The rows' tokens in the embedding, to be put into x; null if it has rows already. */
type Embedding = { table: Matrix; tokens: Tensor } | null;

/** One decoder layer, added to x in its place. Returns the experts, if it has any. */
function stepBlock(
  scope: Scope,
  config: ModelConfig,
  x: Tensor,
  weights: LayerWeights,
  attention: AttentionConfig,
  cache: CachedRows,
  embedding: Embedding,
  route?: Tensor,
): Tensor | null {
  const { experts } = scope.nested((inner) => {
    const query = attentionQueries(inner, config, x, x.rows, weights, attention, cache, embedding);
    addAttention(inner, config, x, query, weights.attention, attention, cache);
    return { experts: addFeedForward(inner, config, x, weights, route) };
  });
  return experts;
}

/** The queries of the first rows; keys and values of all go into the cache. */
function attentionQueries(
  scope: Scope,
  config: ModelConfig,
  x: Tensor,
  queries: number,
  { inputNorm, attention: weights }: LayerWeights,
  attention: AttentionConfig,
  cache: CachedRows,
  embedding: Embedding,
): Tensor {
  const { kernels } = scope.device;
  const { heads, keyValueHeads, headDim, valueHeadDim, rotaryDim, ropeTheta } = attention;
  const query = scope.empty([queries, heads * headDim]);
  const inputs = {
    x,
    norm: inputNorm,
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
  };
  if (embedding) kernels.embedAttentionInputs({ ...inputs, ...embedding });
  else kernels.attentionInputs(inputs);
  return query;
}

function addAttention(
  { device }: Scope,
  config: ModelConfig,
  x: Tensor,
  query: Tensor,
  weights: AttentionWeights,
  { heads, keyValueHeads, headDim, valueHeadDim, window }: AttentionConfig,
  cache: CachedRows,
): void {
  const { output, sinks } = weights;
  device.kernels.addAttention({
    heads,
    keyValueHeads,
    keyDim: headDim,
    valueDim: valueHeadDim,
    scale: headDim ** -0.5,
    valueScale: config.valueScale,
    window,
    query,
    sinks,
    cache,
    weight: output,
    out: x,
  });
}

/** Returns the experts, if it has any. */
function addFeedForward(
  scope: Scope,
  config: ModelConfig,
  x: Tensor,
  { postAttentionNorm, feedForward }: LayerWeights,
  route?: Tensor,
): Tensor | null {
  if (feedForward.kind === 'experts') {
    return addExperts(scope, config, x, postAttentionNorm, feedForward, route);
  }
  addDense(scope, config, x, postAttentionNorm, feedForward);
  return null;
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
  const { groups, selectedGroups, normalizeWeights, scalingFactor } = config.experts;
  const { gate, up, down, shared } = weights;
  const normed = shared ? scope.empty(x.shape) : null;
  scope.device.kernels.addRoutedExperts({
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
    weights: scope.empty(experts.shape),
    gate,
    up,
    down,
    out: x,
  });
  if (shared && normed) {
    const gated = linear(scope, normed, shared.gate, { step: true });
    const other = linear(scope, normed, shared.up, { step: true });
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
    step: true,
  });
}
