import { UserError } from '../errors.ts';
import type { Model } from '../model/weights.ts';
import type { CacheType } from '../tensor/cache-type.ts';
import { Decoder } from './decoder.ts';
import type { DecoderSequence } from './decoder-sequence.ts';
import {
  Generation,
  type GenerationOptions,
  type GenerationStep,
  type TokenGenerator,
} from './generation.ts';
import { nextTask } from './next-task.ts';
import { chunkEnd } from './prompt-chunks.ts';
import type { QueuedStep } from './queued-step.ts';

export interface SequenceOptions {
  /** Ids from here on are padding of the head and never sampled. */
  vocabSize?: number;
  /** What the caches hold; by default as `cacheTypeOf` says. */
  cacheType?: CacheType | undefined;
}

/**
 * One sequence of tokens and its caches, on which a model generates. Generating again from a longer
 * prompt that begins with what is already there computes the new part only.
 */
export class Sequence implements TokenGenerator {
  readonly #decoder: Decoder;
  readonly #cacheTokens: number;
  #sequence: DecoderSequence;

  constructor(model: Model, { vocabSize, cacheType }: SequenceOptions = {}) {
    this.#cacheTokens = model.config.maxPositions + model.mtp.length;
    this.#decoder = new Decoder(model, {
      cacheTokens: this.#cacheTokens,
      sequences: 1,
      vocabSize,
      cacheType,
    });
    this.#sequence = this.#decoder.open([])!;
  }

  get tokens(): readonly number[] {
    return this.#sequence.tokens;
  }

  /** Bytes of keys and values held, by layer kind. */
  get cacheBytes(): { global: number; sliding: number } {
    return this.#decoder.cacheBytes;
  }

  /** What they are kept in. */
  get cacheType(): CacheType {
    return this.#decoder.cacheType;
  }

  /**
   * Generates after `prompt`: with drafts, each step proposes tokens by the MTP blocks, verifies them
   * in one pass of the model and keeps those that leave the distribution unchanged.
   *
   * @throws UserError if the prompt is empty or does not fit the model's context.
   */
  async *generate(
    prompt: readonly number[],
    options: GenerationOptions = {},
  ): AsyncGenerator<GenerationStep> {
    const { model } = this.#decoder;
    const generation = new Generation(model, prompt, options, this.#cacheTokens);
    const { drafts, signal, report, isEmpty } = generation;
    if (isEmpty && !report) return;
    generation.cachedTokens = this.#startWith(prompt, report?.firstPosition ?? prompt.length);
    await this.#prefill(generation);
    if (isEmpty) {
      yield generation.takeNothing();
      return;
    }
    const sequence = this.#sequence;
    const requests = [{ sequence, ...generation.step }];
    const goesAhead = this.#decoder.goesAhead(requests, drafts);
    let ahead: QueuedStep | null = null;
    try {
      for (;;) {
        signal?.throwIfAborted();
        this.#reserve(sequence.length + drafts + 1);
        let queued = ahead;
        ahead = null;
        if (goesAhead && generation.goesOn) {
          queued ??= this.#decoder.queue(requests);
          this.#reserve(sequence.length + 2);
          ahead = this.#decoder.queueAfter(queued);
        }
        const [given] = await (queued?.read() ?? this.#decoder.step(requests, drafts));
        const step = generation.take(given!, drafts);
        sequence.append(step.tokens);
        yield step;
        if (step.finish) return;
        await nextTask();
      }
    } finally {
      // Its memory is given back when the device is done with it.
      await ahead?.read().catch(() => {});
    }
  }

  /** Forgets all tokens. */
  clear(): void {
    this.#open([]);
  }

  release(): void {
    this.#decoder.release();
  }

  /** Brings the cache to the last token of the prompt, which is the first step's. */
  async #prefill({ signal, report }: Generation): Promise<void> {
    const sequence = this.#sequence;
    const { length } = sequence.tokens;
    this.#reserve(length);
    while (sequence.length < length - 1) {
      signal?.throwIfAborted();
      await this.#decoder.prefill([{ sequence, end: chunkEnd(sequence, length), report }]);
      await nextTask();
    }
  }

  /**
   * Goes on from what is there if the prompt begins with it, and no more of it than `most` positions;
   * → how many positions that saves.
   */
  #startWith(prompt: readonly number[], most: number): number {
    const { tokens, length } = this.#sequence;
    const extendsPresent = prompt.length > length && tokens.every((t, i) => t === prompt[i]);
    if (!extendsPresent || length > most) this.#open([...prompt]);
    else for (const token of prompt.slice(tokens.length)) tokens.push(token);
    return this.#sequence.length;
  }

  #open(tokens: number[]): void {
    this.#decoder.close(this.#sequence);
    this.#sequence = this.#decoder.open(tokens)!;
  }

  #reserve(positions: number): void {
    if (this.#decoder.reserve(this.#sequence, positions)) return;
    throw new UserError(
      `there is no memory left for the keys and values of ${positions} tokens: give a shorter prompt, or ask for fewer tokens`,
    );
  }
}
