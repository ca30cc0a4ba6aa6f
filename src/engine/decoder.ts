import { mtpBlock, mtpInput } from '../model/mtp.ts';
import { fillCache, trunk } from '../model/trunk.ts';
import type { Model } from '../model/weights.ts';
import type { CacheType } from '../tensor/cache-type.ts';
import { gatherRows } from '../tensor/ops/index.ts';
import { Scope } from '../tensor/scope.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { cacheTypeOf } from './cache-type.ts';
import { stepMasks } from './constrained-output.ts';
import { DecoderSequence } from './decoder-sequence.ts';
import { KeyValuePool } from './key-value-pool.ts';
import { OutputHead } from './output-head.ts';
import { packRows } from './packed-rows.ts';
import { reportPrompts } from './prompt-outputs.ts';
import { type QueuedStep, queuedStep } from './queued-step.ts';
import { replayStep } from './replay.ts';
import { firstRows, type RowRange } from './row-ranges.ts';
import { uploadStep } from './step-inputs.ts';
import { type StepAnswer, StepOutputs } from './step-outputs.ts';
import { StepPasses } from './step-passes.ts';
import { planStep, uncertainRows } from './step-plan.ts';
import type { PromptPart, StepRequest } from './step-request.ts';

export interface DecoderLimits {
  /** Most positions of all sequences together. */
  cacheTokens: number;
  /** Most sequences open at once. */
  sequences: number;
  /** Rings kept beside those of sequences; see `PrefixCache` and `SessionCache`. */
  snapshots?: number;
  /** Ids from here on are padding of the head and never sampled; by default the model's size. */
  vocabSize?: number | undefined;
  /** What the caches hold; see `cacheTypeOf`. */
  cacheType?: CacheType | undefined;
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
  readonly #head: OutputHead;
  readonly #passes: StepPasses;

  constructor(model: Model, limits: DecoderLimits) {
    const { vocabSize, cacheTokens, sequences, snapshots = 0 } = limits;
    const cacheType = cacheTypeOf(model, limits.cacheType);
    this.model = model;
    this.#head = new OutputHead(model, vocabSize ?? model.config.vocabSize);
    const rings = sequences + snapshots;
    this.#pool = new KeyValuePool(model, { tokens: cacheTokens, rings, cacheType });
    this.#passes = new StepPasses(model, this.#pool, this.#head);
  }

  /** The memory of its sequences. */
  get pool(): KeyValuePool {
    return this.#pool;
  }

  /** Bytes of device memory for keys and values, by layer kind. */
  get cacheBytes(): { global: number; sliding: number } {
    return this.#pool.bytes;
  }

  /** What they are kept in. */
  get cacheType(): CacheType {
    return this.#pool.cacheType;
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
   * Memory must have been reserved. Waits for the device only where a report wants to know.
   */
  async prefill(parts: readonly PromptPart[]): Promise<void> {
    const ranges = parts.map((part) => ({ ...part, begin: part.sequence.length }));
    await this.#inScope(async (scope) => {
      const packed = packRows(scope, this.#pool, ranges);
      const pass = () => {
        for (const { sequence, end } of parts) sequence.length = end;
      };
      if (this.model.mtp.length === 0 && parts.every(({ report }) => !report)) {
        fillCache(scope, this.model, packed.batch, packed.cache);
        pass();
        return;
      }
      const result = trunk(scope, this.model, packed.batch, { cache: packed.cache });
      const places = [packed.stateRows, ...packed.snapshotRows];
      this.#pool.writeStates(mtpInput(this.model, result), places);
      pass();
      const first = firstRows(ranges);
      const prompts = ranges.map((range, i) => ({ ...range, first: first[i]! }));
      const experts = result.routes.map((route) => route.experts);
      await reportPrompts(scope, this.#head, prompts, { hidden: result.hidden, experts });
    });
  }

  /**
   * The next tokens of each sequence, of which all but the last have passed the trunk: 1 to `drafts` + 1,
   * to be appended by the caller. Memory for `drafts` + 1 more positions must have been reserved.
   */
  async step(requests: readonly StepRequest[], drafts: number): Promise<StepAnswer[]> {
    if (drafts === 0 && requests.every(isPlain)) return this.queue(requests).read();
    const sequences = requests.map(({ sequence }) => sequence);
    for (let head = 0; head < drafts; head++) await this.#catchUp(sequences, head);
    const scope = new Scope(this.model.device);
    try {
      const plan = planStep(sequences, drafts, this.#window);
      const inputs = uploadStep(scope, requests, plan, this.#pool.ringSize);
      const constraints = requests.map(({ constraint }) => constraint ?? null);
      const drafted = drafts > 0 ? this.#passes.draft(scope, plan, inputs, constraints) : null;
      const masks = await stepMasks(
        scope,
        constraints,
        inputs.tokens.slice(0, inputs.trunk.uniforms.size),
        drafts,
      );
      const outputs = new StepOutputs(scope, requests, drafts, this.model.config);
      this.#passes.verify(scope, inputs, drafted, masks, outputs);
      const answers = await outputs.read();
      for (const [s, { blockLengths, length }] of sequences.entries()) {
        const right = answers[s]!.tokens.length - 1;
        for (let head = 0; head < drafts; head++) {
          // The last rows of a block read drafts; they stay where these were right.
          const certain = length - Math.max(head - right, 0);
          blockLengths[head] = Math.max(blockLengths[head]!, certain);
        }
      }
      return answers;
    } finally {
      scope.close();
    }
  }

  /**
   * Passes tokens that were generated before through the model again, up to `drafts` + 1 of each sequence
   * and all but its last: see `replayStep`.
   */
  async replay(sequences: readonly DecoderSequence[], drafts: number): Promise<void> {
    for (let head = 0; head < drafts; head++) await this.#catchUp(sequences, head);
    await this.#inScope(async (scope) => {
      replayStep(scope, this.model, this.#pool, sequences, drafts);
    });
  }

  /** Whether steps of such requests can be queued, and it is of use to do so before the last is read. */
  goesAhead(requests: readonly StepRequest[], drafts: number): boolean {
    return drafts === 0 && this.model.device.queuesCalls && requests.every(isPlain);
  }

  /** A step without drafts, of which nothing is wanted but tokens, to be read later. */
  queue(requests: readonly StepRequest[]): QueuedStep {
    return this.#queue(requests, null);
  }

  /**
   * The step that follows one while its tokens have not been read: the device goes on with them at once.
   * A sequence that they end has then run one step too far, which does it no harm: it is the step with
   * which it could go on later. Memory for two more positions must have been reserved.
   */
  queueAfter({ requests, drawn }: QueuedStep): QueuedStep {
    return this.#queue(requests, drawn);
  }

  release(): void {
    this.#pool.release();
  }

  /**
   * Brings block `head` to the end of sequences of which it lacks more than a step leaves: after a
   * prompt. That costs no more than one window.
   */
  async #catchUp(sequences: readonly DecoderSequence[], head: number): Promise<void> {
    const longest = this.model.mtp.length + 1 + head;
    const ranges: RowRange<DecoderSequence>[] = [];
    for (const sequence of sequences) {
      const { begin, end } = uncertainRows(sequence, head, this.#window);
      // The last rows are the step's: it drafts from the very last, and others wait for drafts.
      if (end - begin > longest) ranges.push({ sequence, begin, end: end - 1 - head });
    }
    if (ranges.length === 0) return;
    await this.#inScope(async (scope) => {
      const packed = packRows(scope, this.#pool, ranges, 1 + head);
      const states = gatherRows(scope, this.#pool.states, packed.stateRows);
      mtpBlock(scope, this.model, head, packed.batch, states, packed.cache);
    });
    for (const { sequence, end } of ranges) sequence.blockLengths[head] = end;
  }

  /** `drawn`: the last tokens, if they are on the device alone. */
  #queue(requests: readonly StepRequest[], drawn: Tensor | null): QueuedStep {
    const scope = new Scope(this.model.device);
    try {
      const sequences = requests.map(({ sequence }) => sequence);
      const plan = planStep(sequences, 0, this.#window, drawn ? 1 : 0);
      const inputs = uploadStep(scope, requests, plan, this.#pool.ringSize, drawn);
      return queuedStep(scope, requests, this.#passes.drawNext(scope, inputs));
    } catch (error) {
      scope.close();
      throw error;
    }
  }

  get #window(): number {
    return this.model.config.slidingAttention.window ?? 0;
  }

  async #inScope(work: (scope: Scope) => Promise<void>): Promise<void> {
    const scope = new Scope(this.model.device);
    try {
      await work(scope);
    } finally {
      scope.close();
    }
  }
}

/** Whether nothing is wanted of a step but its tokens, drawn from the model's own distribution. */
function isPlain({ changes, constraint, scores, routes }: StepRequest): boolean {
  return !changes && !constraint && !scores && !routes;
}
