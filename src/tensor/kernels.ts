import type { FusedKernels } from './fused-kernels.ts';
import type { InferenceKernels } from './inference-kernels.ts';
import type { Matrix } from './quantized-matrix.ts';
import type { Tensor } from './tensor.ts';

/**
 * The arithmetic a device implements: about thirty kernels that write into tensors they are given, and
 * those of `InferenceKernels` and `FusedKernels`.
 *
 * Conventions. Tensors are row-major and contiguous. T is a number of tokens (rows), E of experts,
 * k of experts per token, S = T·k of routed slots. Everything is f32 except indices (i32). Inputs and
 * outputs do not overlap unless a line says that they may. Where `accumulate` is given, true adds to
 * `out` and false overwrites it. Any dimension may be 0.
 */
export interface Kernels<Weight extends Matrix = Tensor>
  extends InferenceKernels<Weight>,
    FusedKernels<Weight> {
  fill(a: { out: Tensor; value: number }): void;
  /** out = source, same size and dtype. */
  copy(a: { source: Tensor; out: Tensor }): void;
  /** out = a + b; out may be a or b. */
  add(a: { a: Tensor; b: Tensor; out: Tensor }): void;

  /**
   * out [M,N] = A·B. A is `a` [M,K], or its transpose if `transposeA` (then `a` is [K,M]);
   * B is `b` [K,N], or its transpose if `transposeB` (then `b` is [N,K], a linear layer's weight).
   *
   * A device may round the operands of this, the grouped products and attention to f16, for speed.
   * `exact`: it must not. `scaleA`: a power of two that it then multiplies `a` by before rounding, and
   * divides the product by, so that small gradients survive; 1 by default.
   *
   * `residual` [M,N]: out = residual + A·B; not together with `accumulate`.
   *
   * `step`: of a step of inference, in which rows are of requests that know nothing of each other. A device
   * may compute few rows otherwise than many, but on the host a row's sums do not depend on how many rows
   * there are, neither with `step` nor without.
   *
   * `b` may be quantised where it is transposed and `a` is not; see `InferenceKernels`.
   */
  matmul(a: {
    a: Tensor;
    b: Weight;
    out: Tensor;
    transposeA: boolean;
    transposeB: boolean;
    accumulate: boolean;
    exact?: boolean;
    step?: boolean;
    scaleA?: number;
    residual?: Tensor | null;
  }): void;
  /**
   * For each expert e, rows offsets[e] to offsets[e+1] of `a` [S,K] times B_e:
   * `b` is [E,K,N], or [E,N,K] if `transposeB`. out [S,N]; offsets i32 [E+1], non-decreasing, from 0
   * to S. Work is proportional to S. A `second` product, of the same shapes, is added. `b` may be
   * quantised if `transposeB`, without a `second`.
   */
  groupedMatmul(a: {
    a: Tensor;
    b: Weight;
    second?: { a: Tensor; b: Tensor } | null;
    offsets: Tensor;
    out: Tensor;
    transposeB: boolean;
    accumulate: boolean;
    scaleA?: number;
  }): void;
  /**
   * For each expert e: out_e [N,K] = aᵀ·b over its rows; `a` [S,N], `b` [S,K], out [E,N,K]. With
   * `rowsOfB` i32 [S], row s of b is row rowsOfB[s] of `b`.
   */
  groupedMatmulTransposed(a: {
    a: Tensor;
    b: Tensor;
    rowsOfB?: Tensor | null;
    offsets: Tensor;
    out: Tensor;
    accumulate: boolean;
    scaleA?: number;
  }): void;
  /**
   * The first half of each expert's feed-forward, for the rows `tokens` i32 [S] of x [T,K], sorted by
   * expert: out [S,N] = silu(G)·U, where G and U are those rows times B_eᵀ, B being `gateWeight` and
   * `upWeight` [E,N,K]. G and U are written to `gate` and `up` where given, both or neither.
   */
  groupedSwiglu(a: {
    x: Tensor;
    tokens: Tensor;
    offsets: Tensor;
    gateWeight: Tensor;
    upWeight: Tensor;
    gate: Tensor | null;
    up: Tensor | null;
    out: Tensor;
  }): void;

  /** out [T,C]: row t is row indices[t] of `table` [R,C], or zeros if the index is negative. */
  gatherRows(a: { table: Weight; indices: Tensor; out: Tensor }): void;
  /** out[indices[t]] += source[t] for every t with an index ≥ 0, in the order of t. */
  scatterAddRows(a: { source: Tensor; indices: Tensor; out: Tensor }): void;
  /** out[indices[t]] = source[t] for every t with an index ≥ 0; indices are distinct. */
  writeRows(a: { source: Tensor; indices: Tensor; out: Tensor }): void;
  /** out [T, A+B] = rows of `a` [T,A] followed by rows of `b` [T,B]. */
  concatColumns(a: { a: Tensor; b: Tensor; out: Tensor }): void;
  /** The reverse: a [T,A] and b [T,B] from source [T, A+B]. */
  splitColumns(a: { source: Tensor; a: Tensor; b: Tensor }): void;

  /**
   * out = x · inverseRms · weight, with inverseRms [T] = 1/√(mean(x²) + epsilon) also written.
   * x and out [T,C], weight [C].
   */
  rmsNorm(a: { x: Tensor; weight: Tensor; epsilon: number; out: Tensor; inverseRms: Tensor }): void;
  /** dX is written, with `residual` added to it if given; dWeight, if given, is added to. */
  rmsNormBackward(a: {
    x: Tensor;
    weight: Tensor;
    inverseRms: Tensor;
    dOut: Tensor;
    dX: Tensor;
    dWeight: Tensor | null;
    residual?: Tensor | null;
  }): void;

  /**
   * Rotates the first `rotaryDim` dimensions of every head of x [T, heads·headDim] by the angle
   * positions[t]·theta^(−2i/rotaryDim), pairs (i, i + rotaryDim/2). `inverse` rotates back, which is
   * also the gradient. out may be x.
   */
  rotary(a: {
    x: Tensor;
    positions: Tensor;
    headDim: number;
    rotaryDim: number;
    theta: number;
    inverse: boolean;
    out: Tensor;
  }): void;

  /** See `AttentionShape`. Writes out [T, heads·valueDim] and logSumExp [T, heads]. */
  attention(
    a: AttentionShape & {
      query: Tensor;
      key: Tensor;
      value: Tensor;
      sinks: Tensor | null;
      rowStart: Tensor;
      past: PastKeys | null;
      out: Tensor;
      logSumExp: Tensor;
    },
  ): void;
  /**
   * Without a past. dQuery, dKey and dValue are written; dSinks, if given, is added to.
   * `gradientScale`: for dOut, what `scaleA` is to a product.
   */
  attentionBackward(
    a: AttentionShape & {
      query: Tensor;
      key: Tensor;
      value: Tensor;
      sinks: Tensor | null;
      rowStart: Tensor;
      out: Tensor;
      logSumExp: Tensor;
      dOut: Tensor;
      dQuery: Tensor;
      dKey: Tensor;
      dValue: Tensor;
      dSinks: Tensor | null;
      gradientScale?: number;
    },
  ): void;

  /** out = silu(gate)·up; all of one shape. */
  swiglu(a: { gate: Tensor; up: Tensor; out: Tensor }): void;
  swigluBackward(a: { gate: Tensor; up: Tensor; dOut: Tensor; dGate: Tensor; dUp: Tensor }): void;

  /**
   * experts i32 [T,k]: the k experts with the largest sigmoid(logits) + bias, largest first, ties to
   * the lower number. With groups > 1, only the experts of the `selectedGroups` groups with the
   * largest sum of their two best are eligible. logits [T,E], bias [E].
   */
  selectExperts(a: {
    logits: Tensor;
    bias: Tensor;
    groups: number;
    selectedGroups: number;
    experts: Tensor;
  }): void;
  /**
   * weights [T,k] = sigmoid(logits) at the chosen experts, divided by their sum + 1e-20 if
   * `normalize`, times `scale`.
   */
  expertWeights(a: {
    logits: Tensor;
    experts: Tensor;
    normalize: boolean;
    scale: number;
    weights: Tensor;
  }): void;
  /** dLogits [T,E] is added to. */
  expertWeightsBackward(a: {
    logits: Tensor;
    experts: Tensor;
    normalize: boolean;
    scale: number;
    dWeights: Tensor;
    dLogits: Tensor;
  }): void;
  /**
   * Sorts the S routed slots (t·k + j) by expert, stably. offsets i32 [E+1]: where each expert's rows
   * begin; tokens i32 [S]: the token of each sorted row; rows i32 [T,k]: the sorted row of each slot.
   */
  groupByExpert(a: { experts: Tensor; offsets: Tensor; tokens: Tensor; rows: Tensor }): void;
  /** out [T,C] = Σ_j weights[t,j] · source[rows[t,j]], with source [S,C], plus `residual` if given. */
  combineRows(a: {
    source: Tensor;
    rows: Tensor;
    weights: Tensor;
    residual?: Tensor | null;
    out: Tensor;
  }): void;
  combineRowsBackward(a: {
    source: Tensor;
    rows: Tensor;
    weights: Tensor;
    dOut: Tensor;
    dSource: Tensor;
    dWeights: Tensor;
  }): void;
  /** out [T,C] = Σ_j source[rows[t,j]]: the gradient of gathering tokens to experts. */
  sumRows(a: { source: Tensor; rows: Tensor; out: Tensor }): void;
  /**
   * Sequence-wise balance loss (DeepSeek-V3, eq. 17 to 20), each document one sequence, averaged over
   * documents by their tokens: loss [1] = Σ_docs T_d/T · Σ_i f_i·P_i, with
   * f_i = E/(k·T_d)·#(i chosen), P_i = mean over the document of s_i/Σs, s = sigmoid(logits).
   * dLogits, if given, is added scale·gradient. rowStart as for attention.
   */
  balanceLoss(a: {
    logits: Tensor;
    experts: Tensor;
    rowStart: Tensor;
    loss: Tensor;
    dLogits: Tensor | null;
    scale: number;
  }): void;

  /**
   * For each row of logits [T,V]: logProbability [T] of targets[t] (0 where the target is negative),
   * the row's entropy [T] in nats, and logSumExp [T].
   */
  tokenLogprobs(a: {
    logits: Tensor;
    targets: Tensor;
    logProbability: Tensor;
    entropy: Tensor;
    logSumExp: Tensor;
  }): void;
  /**
   * Overwrites logits by their gradient: dLogProbability[t]·(onehot − softmax), zeros where the target
   * is negative.
   */
  tokenLogprobsBackward(a: {
    logits: Tensor;
    targets: Tensor;
    logSumExp: Tensor;
    dLogProbability: Tensor;
  }): void;
  /** out i32 [T]: the column of the largest value of each row, the lowest on ties. */
  argmax(a: { x: Tensor; out: Tensor }): void;

  /**
   * For each of the G equal parts of x (an expert's weights, say): out [G,2] = (Σ x², number of
   * elements that are exactly 0). Overwrites; sums in f64 or compensated.
   */
  gradientStatistics(a: { x: Tensor; out: Tensor }): void;
  /**
   * One AdamW step (Loshchilov & Hutter), gradient first multiplied by `gradientScale`:
   * m = β1·m + (1−β1)·g; v = β2·v + (1−β2)·g²;
   * p = p − rate·(m̂/(√v̂ + epsilon) + decay·p), with m̂ = m/(1−β1^step), v̂ = v/(1−β2^step).
   */
  adamw(a: {
    parameter: Tensor;
    gradient: Tensor;
    firstMoment: Tensor;
    secondMoment: Tensor;
    rate: number;
    beta1: number;
    beta2: number;
    epsilon: number;
    decay: number;
    step: number;
    gradientScale: number;
  }): void;
}

/**
 * Grouped-query attention over packed rows.
 *
 * query [T, heads·keyDim], key [T, keyValueHeads·keyDim], value [T, keyValueHeads·valueDim]. Query
 * head h reads key head ⌊h / (heads/keyValueHeads)⌋. Rows of one sequence are contiguous;
 * rowStart i32 [T] is the first row of the row's own sequence in this call. Row t sees rows
 * rowStart[t] to t, and the sequence's past before them, of these at most the last `window` keys,
 * itself included (all if `window` is null).
 *
 *   p_j = exp(a_j − m) / (exp(sink_h − m) + Σ exp(a_i − m)),  a_j = scale·q·k_j    (report, eq. 2)
 *   out = valueScale · Σ p_j·v_j,  logSumExp = log(exp(sink_h) + Σ exp(a_i))
 *
 * without the sink term where `sinks` [heads] is null.
 */
export interface AttentionShape {
  heads: number;
  keyValueHeads: number;
  keyDim: number;
  valueDim: number;
  scale: number;
  valueScale: number;
  window: number | null;
}

/**
 * Keys and values from earlier calls. Position p of sequence s lies in row
 * `table[s][⌊p / pageSize⌋ mod width] · pageSize + p mod pageSize` of `keys` and `values`; so a table
 * that is wide enough is a paged cache, and one of `width` pages a ring of width·pageSize positions.
 */
export interface PastKeys {
  /** [rows, keyValueHeads·keyDim], of any type that `CachedRows` may have. */
  keys: Tensor;
  /** [rows, keyValueHeads·valueDim], likewise. */
  values: Tensor;
  pageSize: number;
  /** i32 [sequences, width] */
  table: Tensor;
  /** i32 [sequences]: positions held before this call; the first row of the call has this position. */
  lengths: Tensor;
  /** i32 [T]: the sequence of each row. */
  sequence: Tensor;
}
