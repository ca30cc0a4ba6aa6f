import type { InferenceKernels } from './inference-kernels.ts';
import type { Matrix } from './quantized-matrix.ts';
import type { Tensor } from './tensor.ts';

type Call<Name extends keyof InferenceKernels, Weight extends Matrix = Tensor> = Parameters<
  InferenceKernels<Weight>[Name]
>[0];

/**
 * Kernels of inference that stand for several others in a row, for devices where a call costs more than
 * what it does: with one row of a small model, a GPU waits for its host. Each is defined by the kernels
 * that it stands for, and `composedKernels` puts it together from these for every other device.
 */
export interface FusedKernels<Weight extends Matrix = Tensor> {
  /** x = table[tokens] (tokens i32 [T], table [R,C]), then `attentionInputs` of x. */
  embedAttentionInputs(
    a: Call<'attentionInputs', Weight> & { table: Weight; tokens: Tensor },
  ): void;

  /** out [T,C] += attention·weightᵀ with attention as by `cachedAttention`; weight [C, heads·valueDim]. */
  addAttention(a: Call<'cachedAttention'> & { weight: Weight }): void;

  /**
   * Experts' feed-forward: out [T,C] += Σ_j weights[t,j]·(silu(x_t·gate_eᵀ)·(x_t·up_eᵀ))·down_eᵀ with
   * e = experts[t,j]. `expertGatedProduct`, then `addExpertProducts`.
   */
  addExperts(
    a: Omit<Call<'expertGatedProduct', Weight>, 'out'> &
      Omit<Call<'addExpertProducts', Weight>, 'x'>,
  ): void;

  /**
   * `routeTokens`, then `addExperts` of its rows. Without `normed`, these are not kept. `out` may be x.
   */
  addRoutedExperts(
    a: Omit<Call<'routeTokens'>, 'normed'> &
      Pick<Call<'expertGatedProduct', Weight>, 'gate' | 'up'> &
      Pick<Call<'addExpertProducts', Weight>, 'down' | 'out'> & { normed: Tensor | null },
  ): void;

  /**
   * out [S,N] = (rmsNorm(x)·norm)·weightᵀ with weight [N,C], of the rows of x [T,C] that `rows` i32 [S]
   * names, where −1 gives zeros; by default of all rows.
   */
  normProduct(a: {
    x: Tensor;
    rows: Tensor | null;
    norm: Tensor;
    epsilon: number;
    weight: Weight;
    out: Tensor;
  }): void;

  /**
   * out [T,N] = (rmsNorm(a)·aNorm ‖ rmsNorm(b)·bNorm)·weightᵀ, where row t of a is aTable[aRows[t]] and
   * that of b is bTable[bRows[t]], or zeros where that is −1; aTable [R,C], bTable [Q,D], weight [N, C+D].
   */
  joinedNormProduct(a: {
    aTable: Weight;
    aRows: Tensor;
    aNorm: Tensor;
    bTable: Tensor;
    bRows: Tensor;
    bNorm: Tensor;
    epsilon: number;
    weight: Weight;
    out: Tensor;
  }): void;

  /** `samplingDistribution`, then `drawTokens` from it. */
  sampleTokens(a: Call<'samplingDistribution'> & Omit<Call<'drawTokens'>, 'probabilities'>): void;
}
