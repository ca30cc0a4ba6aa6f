import type { CacheType } from './cache-type.ts';
import type { AttentionShape } from './kernels.ts';
import type { Matrix } from './quantized-matrix.ts';
import type { Tensor } from './tensor.ts';

/**
 * Kernels of inference on few rows: decoding, drafting and verifying. With few rows the arithmetic is
 * nothing and each call costs its launch, so a decoder layer is six of these in place of the twenty that
 * training needs. They have no gradient. Conventions are those of `Kernels`; T is the rows of a call, in
 * any order and of any sequences.
 *
 * Keys and values of a call are written into the cache before its rows attend, so that a row finds
 * everything it sees there, itself included. Rows of drafts that turn out wrong are left where they are:
 * the next call writes over them.
 *
 * A device that has `writeQuantized` takes a `Weight` quantised too. It may then round the other factor, to
 * 8 bits in groups of `groupSize`.
 */
export interface InferenceKernels<Weight extends Matrix = Tensor> {
  /** Keys and values of rows into a cache, in the cache's own type. */
  writeCachedRows(a: RowsToCache): void;
  /**
   * x [T, heads·n] in its place becomes what a cache of `type` would give back: then a row sees the same
   * keys and values in the call that writes them as later.
   */
  roundToCache(a: { x: Tensor; heads: number; type: CacheType }): void;

  /**
   * With n = rmsNorm(x)·norm: query [Q, heads·headDim] = n·Wqᵀ of the first Q ≤ T rows, and into the cache,
   * at each row's position, the key n·Wkᵀ and the value n·Wvᵀ; query and key rotated as by `rotary`. `weight`
   * [(heads + keyValueHeads)·headDim + keyValueHeads·valueDim, C] holds Wq, Wk and Wv one after another.
   */
  attentionInputs(a: {
    x: Tensor;
    norm: Tensor;
    epsilon: number;
    weight: Weight;
    heads: number;
    keyValueHeads: number;
    headDim: number;
    valueDim: number;
    rotaryDim: number;
    theta: number;
    query: Tensor;
    cache: CachedRows;
  }): void;

  /**
   * Attention (see `AttentionShape`) of each row to the positions of its sequence in the cache up to its
   * own, of these at most the last `window`: query [T, heads·keyDim] → out [T, heads·valueDim].
   */
  cachedAttention(
    a: AttentionShape & { query: Tensor; sinks: Tensor | null; cache: CachedRows; out: Tensor },
  ): void;

  /** With n = rmsNorm(x)·norm: out [T,N] = silu(n·gateᵀ)·(n·upᵀ); gate and up [N,C]. */
  normGatedProduct(a: {
    x: Tensor;
    norm: Tensor;
    epsilon: number;
    gate: Weight;
    up: Weight;
    out: Tensor;
  }): void;

  /**
   * normed [T,C] = rmsNorm(x)·norm; from its logits normed·routerᵀ (router [E,C]) the experts i32 [T,k]
   * as by `selectExperts` and their weights [T,k] as by `expertWeights`. In f32, never less.
   */
  routeTokens(a: {
    x: Tensor;
    norm: Tensor;
    epsilon: number;
    router: Tensor;
    bias: Tensor;
    groups: number;
    selectedGroups: number;
    normalize: boolean;
    scale: number;
    normed: Tensor;
    experts: Tensor;
    weights: Tensor;
  }): void;
  /**
   * out [T·k, N]: row t·k + j is silu(x_t·gate_eᵀ)·(x_t·up_eᵀ) with e = experts[t,j]; x [T,C], gate and up
   * [E,N,C].
   */
  expertGatedProduct(a: {
    x: Tensor;
    experts: Tensor;
    gate: Weight;
    up: Weight;
    out: Tensor;
  }): void;
  /**
   * out [T,C] += Σ_j weights[t,j] · x[t·k + j]·down_eᵀ with e = experts[t,j]; x [T·k, N], down [E,C,N].
   */
  addExpertProducts(a: {
    x: Tensor;
    experts: Tensor;
    weights: Tensor;
    down: Weight;
    out: Tensor;
  }): void;

  /**
   * Penalties on what has been said, and biases, in the place of logits [T,V]. rows i32 [T,3] has a row's
   * sequence s, where in tokens i32 the drafts before it begin, and how many these are; settings [S,3] a
   * sequence's (repetition, presence, frequency). The entries of s are offsets[s] … offsets[s+1], i32
   * [S+1], with `columns` i32 in ascending order; `counts` i32: how often it was generated, 0 if it was
   * only in the prompt, −1 if neither; and `biases`. Drafts count as generated. Logits of columns that
   * were said are divided by the repetition if positive and else multiplied; presence and frequency times
   * count are taken off those generated; last comes the bias.
   */
  penalizeLogits(a: {
    logits: Tensor;
    rows: Tensor;
    tokens: Tensor;
    settings: Tensor;
    offsets: Tensor;
    columns: Tensor;
    counts: Tensor;
    biases: Tensor;
  }): void;
  /**
   * Makes logits[t,c] so low that its probability is 0 where bit c % 32 of masks[rows[t], ⌊c/32⌋] is 0,
   * as far as the masks i32 [M,W] reach; rows i32 [T], of which −1 leaves its row alone.
   */
  maskLogits(a: { logits: Tensor; masks: Tensor; rows: Tensor }): void;
  /**
   * Log-probabilities at temperature 1 of the first `vocabSize` columns of logits [T,V]: logprobs
   * [T, 1+n] of tokens[places[t]] and of the n most probable columns, which go to `top` i32 [T,n], the
   * most probable first and the lower column first on ties. Tokens are i32; of one that is no column, the
   * log-probability is undefined. `top` is null if n is 0.
   */
  scoreTokens(a: {
    logits: Tensor;
    tokens: Tensor;
    places: Tensor;
    vocabSize: number;
    logprobs: Tensor;
    top: Tensor | null;
  }): void;
  /**
   * The distribution that each row of logits [T,V] is sampled from, in its place. settings [T,4] has a
   * row's (temperature, topP, topK, minP): logits over temperature; of the `vocabSize` first columns the
   * topK largest (0: all); of these the fewest, largest first, whose probability reaches topP (1: all);
   * of these the ones with at least minP times the largest (0: all); normalised. The lower column comes
   * first on ties. Temperature 0 gives 1 to the largest. Other columns become 0.
   */
  samplingDistribution(a: { logits: Tensor; settings: Tensor; vocabSize: number }): void;
  /**
   * Draws a column from each row of probabilities [T,V], the first whose cumulative probability exceeds
   * uniforms[t] (in [0,1)) times the row's sum, and writes it to out[places[t,i]] for each of the
   * places i32 [T,n] that is not negative.
   */
  drawTokens(a: { probabilities: Tensor; uniforms: Tensor; places: Tensor; out: Tensor }): void;
  /**
   * Speculative sampling (Leviathan et al. 2023) of S sequences with D drafts each. Sequence s has target
   * distributions in rows s·(D+1) … s·(D+1)+D of targets [S·(D+1), V], and the distributions its drafts
   * were drawn from in rows d·S + s of drafts [D·S, V]; its drafted tokens are tokens[s·(D+1) + 1 + d],
   * i32 [S·(D+1)]. Draft d is kept if uniforms[s, d] < target/draft probability; the first that is not
   * is replaced by a draw from max(target − draft, 0) (from the target if that is 0 everywhere), and if
   * all are kept one more token is drawn from the last target, both with uniforms[s, D] as by `drawTokens`; uniforms [S, D+1].
   * out i32 [S, D+2]: how many tokens, then these; the rest is undefined. `drafts` is null if D is 0.
   */
  verifyDrafts(a: {
    targets: Tensor;
    drafts: Tensor | null;
    tokens: Tensor;
    uniforms: Tensor;
    out: Tensor;
  }): void;
}

/**
 * A layer's cache, and where the rows of a call lie in it. Its type is one of `Device.cacheTypes`: f32;
 * f16, with what is beyond its range cut to it; or i8, in pages of multiples of 4, zeroed before they are
 * first used. Heads of both are multiples of 8 numbers, of which multiples of 4 are rotated. A head of i8 has four
 * bytes more, for a scale. Types other than f32 are arranged as the device likes. With i8 a device may
 * round queries and probabilities to bytes too.
 */
export interface CachedRows {
  /** [rows, keyValueHeads·headDim] */
  keys: Tensor;
  /** [rows, keyValueHeads·valueDim] */
  values: Tensor;
  pageSize: number;
  /** Pages of a sequence in the table: the cache of position p of sequence s is as in `PastKeys`. */
  width: number;
  /** i32: the position of each of the T rows, the sequence of each, and the table [sequences, width]. */
  layout: Tensor;
}

/** Rows for a cache: key and value [T,·] go to the rows indices[t] ≥ 0 of keys and values. */
export interface RowsToCache {
  key: Tensor;
  value: Tensor;
  indices: Tensor;
  keyValueHeads: number;
  keys: Tensor;
  values: Tensor;
}
