import { mtpBlock, mtpInput } from '../model/mtp.ts';
import { stepLogits, stepMtpBlock, stepStates, stepTrunk } from '../model/step.ts';
import { trunk } from '../model/trunk.ts';
import type { Model } from '../model/weights.ts';
import type { Random } from '../random.ts';
import { gatherRows } from '../tensor/ops/index.ts';
import { Scope } from '../tensor/scope.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { DecoderSequence } from './decoder-sequence.ts';
import { KeyValuePool } from './key-value-pool.ts';
import { packRows } from './packed-rows.ts';
import { type QueuedStep, queuedStep } from './queued-step.ts';
import type { RowRange } from './row-ranges.ts';
import type { SamplingOptions } from './sampling.ts';
import { type StepInputs, uploadStep } from './step-inputs.ts';
import { planStep, type StepPlan, uncertainRows } from './step-plan.ts';

export interface DecoderLimits {
  /** Most positions of all sequences together. */
  cacheTokens: number;
  /** Most sequences open at once. */
  sequences: number;
  /** Ids from here on are padding of the head and never sampled; by default the model's size. */
  vocabSize?: number | undefined;
}

/** One sequence of a step, and how its tokens are drawn. */
export interface StepRequest {
  sequence: DecoderSequence;
  sampling: SamplingOptions;
  /** Each step draws the same number of times for the same number of drafts. */
  random: Random;
}

/**
 * Runs a model on many sequences at once. A sequence's tokens do not depend on what others are in the
 * batch, as far as the device's sums do not depend on the number of rows.
 *
 * The K MTP blocks draft up to K tokens, which the trunk verifies in one pass (Leviathan et al. 2023), so
 * that the distribution is the trunk's alone. Drafting, sampling and verification stay on the device: a
 * step reads back once, which tokens it has given.
 */
export class Decoder {
  readonly model: Model;
  readonly #pool: KeyValuePool;
  readonly #vocabSize: number;

  constructor(model: Model, { vocabSize, cacheTokens, sequences }: DecoderLimits) {
    this.model = model;
    this.#vocabSize = vocabSize ?? model.config.vocabSize;
    this.#pool = new KeyValuePool(model, { tokens: cacheTokens, sequences });
  }

  /** Bytes of device memory for keys and values, by layer kind. */
  get cacheBytes(): { global: number; sliding: number } {
    return this.#pool.bytes;
  }

  /** Pages of `pageSize` positions that can still be reserved. */
  get availablePages(): number {
    return this.#pool.availablePages;
  }

  /** A sequence of `tokens`, none of which has passed the model; null if there is no room for more. */
  open(tokens: number[]): DecoderSequence | null {
    const held = this.#pool.open();
    return held && new DecoderSequence(held, tokens, this.model.mtp.length);
  }

  /** Forgets a sequence and gives its memory back. */
  close(sequence: DecoderSequence): void {
    this.#pool.close(sequence);
  }

  /** Sees to memory for the first `positions` of a sequence; false if there is not enough. */
  reserve(sequence: DecoderSequence, positions: number): boolean {
    return this.#pool.reserve(sequence, positions);
  }

  /**
   * Passes the next tokens of some sequences through the trunk, up to `end` of each, all in one call.
   * Memory must have been reserved.
   */
  prefill(parts: readonly { sequence: DecoderSequence; end: number }[]): void {
    const ranges = parts.map(({ sequence, end }) => ({ sequence, begin: sequence.length, end }));
    this.#inScope((scope) => {
      const packed = packRows(
        scope,
        this.#pool,
        ranges,
        ({ tokens }, position) => tokens[position]!,
      );
      const result = trunk(scope, this.model, packed.batch, { cache: packed.cache });
      if (this.model.mtp.length > 0) {
        this.#keepStates(mtpInput(this.model, result), packed.stateRows);
      }
    });
    for (const { sequence, end } of parts) sequence.length = end;
  }

  /**
   * The next tokens of each sequence, of which all but the last have passed the trunk: 1 to `drafts` + 1,
   * to be appended by the caller. Memory for `drafts` + 1 more positions must have been reserved.
   */
  async step(requests: readonly StepRequest[], drafts: number): Promise<number[][]> {
    return this.queue(requests, drafts).read();
  }

  /** A step, of which the tokens are read later. */
  queue(requests: readonly StepRequest[], drafts: number): QueuedStep {
    const sequences = requests.map(({ sequence }) => sequence);
    for (let head = 0; head < drafts; head++) this.#catchUp(sequences, head);
    const plan = planStep(sequences, drafts, this.#window);
    const step = this.#queue(requests, plan, null);
    for (const sequence of sequences) {
      for (let head = 0; head < drafts; head++) {
        const certain = sequence.length - head;
        sequence.blockLengths[head] = Math.max(sequence.blockLengths[head]!, certain);
      }
    }
    return step;
  }

  /** Whether it is of use to queue a step after one of `drafts` before that has been read. */
  goesAhead(drafts: number): boolean {
    return drafts === 0 && this.model.device.queuesCalls;
  }

  /**
   * The step that follows one without drafts, while its tokens have not been read: the device goes on
   * with them at once. A sequence that they end has then run one step too far, which does it no harm: it
   * is the step with which it could go on later. Memory for two more positions must have been reserved.
   */
  queueAfter({ requests, drawn }: QueuedStep): QueuedStep {
    if (!drawn) throw new Error('what follows a step with drafts depends on how many are kept');
    const sequences = requests.map(({ sequence }) => sequence);
    return this.#queue(requests, planStep(sequences, 0, this.#window, 1), drawn);
  }

  release(): void {
    this.#pool.release();
  }

  /**
   * Brings block `head` to the end of sequences of which it lacks more than a step leaves: after a
   * prompt. That costs no more than one window.
   */
  #catchUp(sequences: readonly DecoderSequence[], head: number): void {
    const longest = this.model.mtp.length + 1 + head;
    const ranges: RowRange<DecoderSequence>[] = [];
    for (const sequence of sequences) {
      const { begin, end } = uncertainRows(sequence, head, this.#window);
      // The last rows are the step's: it drafts from the very last, and others wait for drafts.
      if (end - begin > longest) ranges.push({ sequence, begin, end: end - 1 - head });
    }
    if (ranges.length === 0) return;
    this.#inScope((scope) => {
      const packed = packRows(
        scope,
        this.#pool,
        ranges,
        ({ tokens }, position) => tokens[position + 1 + head]!,
      );
      const states = gatherRows(scope, this.#pool.states, packed.stateRows);
      mtpBlock(scope, this.model, head, packed.batch, states, packed.cache);
    });
    for (const { sequence, end } of ranges) sequence.blockLengths[head] = end;
  }

  /** `tokens`: those of the plan, if the device has them already. */
  #queue(requests: readonly StepRequest[], plan: StepPlan, tokens: Tensor | null): QueuedStep {
    const scope = new Scope(this.model.device);
    try {
      const inputs = uploadStep(scope, requests, plan, this.#pool.ringSize, tokens);
      const drafted = plan.blocks.length > 0 ? this.#draft(scope, plan, inputs) : null;
      const logits = this.#passTrunk(scope, inputs);
      const chosen = drafted
        ? this.#verify(scope, inputs, logits, drafted)
        : this.#sample(scope, inputs, logits);
      return queuedStep(scope, requests, chosen);
    } catch (error) {
      scope.close();
      throw error;
    }
  }

  /** Drafts with each block in turn → the distributions drafted from, [D·S, V]. */
  #draft(scope: Scope, { blocks }: StepPlan, inputs: StepInputs): Tensor {
    const { model } = this;
    const { states } = this.#pool;
    const { tokens, settings } = inputs;
    const count = inputs.trunk.uniforms.rows;
    const distributions = scope.empty([blocks.length * count, model.head.shape[0]!]);
    for (const [head, { rows, firstToken }] of blocks.entries()) {
      const { slidingLayout, stateRows, lastRows, uniforms, places } = inputs.blocks[head]!;
      const logits = distributions.slice(head * count, (head + 1) * count);
      const own = tokens.slice(firstToken, firstToken + rows);
      const cache = this.#pool.stepCache({ sliding: slidingLayout });
      // A sequence of a single token has no rows: its drafts are guesses from a state of zeros.
      const x = rows > 0 ? stepMtpBlock(scope, model, head, own, states, stateRows, cache) : states;
      stepLogits(model, model.mtp[head]!.finalNorm, x, lastRows, logits);
      const { kernels } = model.device;
      const vocabSize = this.#vocabSize;
      kernels.sampleTokens({ logits, settings, vocabSize, uniforms, places, out: tokens });
    }
    return distributions;
  }

  /** Passes the last tokens and their drafts through the trunk → logits [S·(D+1), V]. */
  #passTrunk(scope: Scope, inputs: StepInputs): Tensor {
    const { model } = this;
    const { globalLayout, slidingLayout, width, stateRows, uniforms } = inputs.trunk;
    const tokens = inputs.tokens.slice(0, uniforms.size);
    const layouts = { global: globalLayout, width, sliding: slidingLayout };
    const { residual } = stepTrunk(scope, model, tokens, this.#pool.stepCache(layouts));
    if (model.mtp.length > 0) this.#keepStates(stepStates(scope, model, residual), stateRows);
    const logits = scope.empty([tokens.size, model.head.shape[0]!]);
    stepLogits(model, model.finalNorm, residual, null, logits);
    return logits;
  }

  /** → i32 [S] */
  #sample(scope: Scope, { trunk }: StepInputs, logits: Tensor): Tensor {
    const { settings, uniforms, places } = trunk;
    const out = scope.empty([uniforms.rows], 'i32');
    const vocabSize = this.#vocabSize;
    const { kernels } = this.model.device;
    kernels.sampleTokens({ logits, settings, vocabSize, uniforms, places, out });
    return out;
  }

  /** → i32 [S, D+2], as by `verifyDrafts` */
  #verify(scope: Scope, inputs: StepInputs, targets: Tensor, drafts: Tensor): Tensor {
    const { kernels } = this.model.device;
    const { settings, uniforms } = inputs.trunk;
    const tokens = inputs.tokens.slice(0, uniforms.size);
    kernels.samplingDistribution({ logits: targets, settings, vocabSize: this.#vocabSize });
    const out = scope.empty([uniforms.rows, uniforms.columns + 1], 'i32');
    kernels.verifyDrafts({ targets, drafts, tokens, uniforms, out });
    return out;
  }

  #keepStates(source: Tensor, indices: Tensor): void {
    this.model.device.kernels.writeRows({ source, indices, out: this.#pool.states });
  }

  get #window(): number {
    return this.model.config.slidingAttention.window ?? 0;
  }

  #inScope(work: (scope: Scope) => void): void {
    const scope = new Scope(this.model.device);
    try {
      work(scope);
    } finally {
      scope.close();
    }
  }
}
