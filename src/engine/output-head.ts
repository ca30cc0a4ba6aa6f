import { stepLogits } from '../model/step.ts';
import type { Model } from '../model/weights.ts';
import type { Tensor } from '../tensor/tensor.ts';
import type { StepInputs } from './step-inputs.ts';

/** The head of a model as inference uses it: hidden states to logits, and what becomes of these. */
export class OutputHead {
  readonly #model: Model;
  readonly #vocabSize: number;

  /** `vocabSize`: columns from here on are padding. */
  constructor(model: Model, vocabSize: number) {
    this.#model = model;
    this.#vocabSize = vocabSize;
  }

  get columns(): number {
    return this.#model.head.rows;
  }

  /** The logits after `hidden` [T,C], written to `out` [T,V]. */
  logits(hidden: Tensor, out: Tensor): void {
    const layout = { transposeA: false, transposeB: true, accumulate: false };
    this.#kernels.matmul({ a: hidden, b: this.#model.head, out, ...layout });
  }

  /** The same after a norm, of the rows of `x` that `rows` names, or of all. */
  normLogits(norm: Tensor, x: Tensor, rows: Tensor | null, out: Tensor): void {
    stepLogits(this.#model, norm, x, rows, out);
  }

  /** Penalties and biases; `rows` as by `penalizeLogits`. */
  penalize({ tokens, changes }: StepInputs, logits: Tensor, rows: Tensor | undefined): void {
    if (changes && rows) this.#kernels.penalizeLogits({ logits, rows, tokens, ...changes.shared });
  }

  /** Logits to what is sampled from, in their place. */
  distributions(logits: Tensor, settings: Tensor): void {
    this.#kernels.samplingDistribution({ logits, settings, vocabSize: this.#vocabSize });
  }

  /** Logits to what is sampled from, and the draw: each into `out` at its places. */
  sample(a: {
    logits: Tensor;
    settings: Tensor;
    uniforms: Tensor;
    places: Tensor;
    out: Tensor;
  }): void {
    this.#kernels.sampleTokens({ ...a, vocabSize: this.#vocabSize });
  }

  /** Log-probabilities of tokens[places], and of the most probable ones. */
  score(
    logits: Tensor,
    tokens: Tensor,
    places: Tensor,
    out: { logprobs: Tensor; top: Tensor | null },
  ): void {
    const vocabSize = this.#vocabSize;
    this.#kernels.scoreTokens({ logits, tokens, places, vocabSize, ...out });
  }

  get #kernels() {
    return this.#model.device.kernels;
  }
}
