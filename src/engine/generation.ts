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
  /**
   * Lets an engine verify fewer drafts where that is measured to be faster. The distribution of tokens is
   * the same, but which are drawn depends on the number of drafts: what is to come again by its seed
   * needs a fixed one. By default where no `drafts` are given and the temperature is 0.
   */
  adaptiveDrafts?: boolean;
  signal?: AbortSignal;
  /** Prompts share caches only with those of the same salt. */
  cacheSalt?: string;
  /** Most tokens of the prompt to be taken from a cache; by default as many as are there. */
  mostCachedTokens?: number;
}

export type FinishReason = 'stop' | 'length';

/** Tokens of one pass of the model: `drafted` were proposed, all but the last token were accepted. */
export interface GenerationStep {
  tokens: number[];
  drafted: number;
  /** Why this step is the last one, or null if it is not. */
  finish: FinishReason | null;
  /** Tokens of the prompt that were found in a cache. */
  cachedTokens: number;
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
  /** Drafts of every step, or the most: random numbers depend on how many there are. */
  readonly drafts: number;
  /** Whether a step may have fewer drafts. */
  readonly isAdaptive: boolean;
  readonly signal: AbortSignal | undefined;
  /** Tokens of the prompt found in a cache; null before anything was looked for. */
  cachedTokens: number | null = null;
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
    const isGreedy = this.sampling.temperature === 0;
    this.isAdaptive = options.adaptiveDrafts ?? (options.drafts === undefined && isGreedy);
  }

  /** Whether there is anything to generate. */
  get isEmpty(): boolean {
    return this.#left <= 0;
  }

  /**
   * Takes what a pass of the model with so many drafts gave: up to a stop token, and no more than asked
   * for.
   */
  take(given: readonly number[], drafts: number): GenerationStep {
    const stop = given.findIndex((token) => this.#stops.has(token));
    const upToStop = stop < 0 ? given.length : stop + 1;
    const tokens = given.slice(0, Math.min(upToStop, this.#left));
    // Drafts that there was no room for count neither as right nor as wrong.
    const drafted = Math.min(drafts, this.#left - 1);
    this.#left -= tokens.length;
    const isStop = this.#stops.has(tokens.at(-1)!);
    const finish = isStop ? 'stop' : this.#left === 0 ? 'length' : null;
    return { tokens, drafted, finish, cachedTokens: this.cachedTokens ?? 0 };
  }
}
