import { UserError } from '../errors.ts';
import type { Model } from '../model/weights.ts';
import { Random } from '../random.ts';
import { greedy, type SamplingOptions } from './sampling.ts';

export interface GenerationOptions {
  sampling?: SamplingOptions;
  seed?: number;
  /** Most tokens to generate; by default as many as the context holds. */
  maxTokens?: number;
  /** Tokens that end the generation (and are yielded); by default the model's end of turn. */
  stopTokens?: readonly number[];
  /** MTP blocks to draft with; by default all, 0 for plain decoding. */
  drafts?: number;
  signal?: AbortSignal;
}

export type FinishReason = 'stop' | 'length';

/** Tokens of one pass of the model: `drafted` were proposed, all but the last token were accepted. */
export interface GenerationStep {
  tokens: number[];
  drafted: number;
  /** Why this step is the last one, or null if it is not. */
  finish: FinishReason | null;
}

/** What generates tokens after a prompt: a `Sequence` alone, an `Engine` for many at once. */
export interface TokenGenerator {
  /** @throws UserError if the prompt is empty or does not fit */
  generate(prompt: readonly number[], options?: GenerationOptions): AsyncIterable<GenerationStep>;
}

/** One answer to a prompt: how it is sampled, and when it ends. */
export class Generation {
  readonly sampling: SamplingOptions;
  readonly random: Random;
  /** Drafts of every step; the same whatever else is computed, since random numbers depend on it. */
  readonly drafts: number;
  readonly signal: AbortSignal | undefined;
  readonly #stops: ReadonlySet<number>;
  #left: number;

  /** `cacheTokens`: the most positions that the caches can hold of one sequence. */
  constructor(
    { config, mtp }: Model,
    prompt: readonly number[],
    options: GenerationOptions,
    cacheTokens: number,
  ) {
    if (prompt.length === 0) throw new UserError('the prompt is empty: give at least one token');
    const context = config.maxPositions - prompt.length;
    if (context <= 0) {
      throw new UserError(
        `the prompt has ${prompt.length} tokens, but the model's context is ${config.maxPositions}: shorten it`,
      );
    }
    // A step writes its drafts to the cache, right or wrong.
    const cache = cacheTokens - mtp.length - prompt.length;
    if (cache <= 0) {
      throw new UserError(
        `the prompt has ${prompt.length} tokens, but the cache holds ${cacheTokens - mtp.length}: shorten it, or give the cache more tokens`,
      );
    }
    this.sampling = options.sampling ?? greedy;
    this.random = new Random(options.seed ?? 0, 'sampling');
    this.signal = options.signal;
    this.#stops = new Set(options.stopTokens ?? config.eosTokenIds);
    this.#left = Math.min(options.maxTokens ?? context, context, cache);
    const useful = Math.max(0, this.#left - 1);
    this.drafts = Math.min(mtp.length, options.drafts ?? mtp.length, useful);
  }

  /** Whether there is anything to generate. */
  get isEmpty(): boolean {
    return this.#left <= 0;
  }

  /** Whether there is more to generate after the next token, unless that ends it. */
  get goesOn(): boolean {
    return this.#left > 1;
  }

  /** Takes what a pass of the model gave: up to a stop token, and no more than asked for. */
  take(given: readonly number[]): GenerationStep {
    const stop = given.findIndex((token) => this.#stops.has(token));
    const upToStop = stop < 0 ? given.length : stop + 1;
    const tokens = given.slice(0, Math.min(upToStop, this.#left));
    // Drafts that there was no room for count neither as right nor as wrong.
    const drafted = Math.min(this.drafts, this.#left - 1);
    this.#left -= tokens.length;
    const isStop = this.#stops.has(tokens.at(-1)!);
    return { tokens, drafted, finish: isStop ? 'stop' : this.#left === 0 ? 'length' : null };
  }
}
