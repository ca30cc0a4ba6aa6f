import { UserError } from '../errors.ts';
import type { GrammarState } from '../grammar/grammar-state.ts';
import type { Model } from '../model/weights.ts';
import { Random } from '../random.ts';
import { ConstrainedOutput } from './constrained-output.ts';
import { LogitChanges } from './logit-changes.ts';
import { PromptReport, type PromptReportOptions } from './prompt-report.ts';
import { greedy, type SamplingOptions } from './sampling.ts';
import type { StepAnswer } from './step-outputs.ts';
import type { StepRequest } from './step-request.ts';
import type { ScoredToken } from './token-reports.ts';

export interface GenerationOptions extends PromptReportOptions {
  sampling?: SamplingOptions;
  seed?: number;
  /** Most tokens to generate; by default as many as the context holds. With 0 the prompt is only read. */
  maxTokens?: number;
  /** Tokens that end the generation (and are yielded); by default the model's end of turn. */
  stopTokens?: readonly number[];
  /** Where in the prompt an answer begins that is to be continued; by default at its end. */
  answerFrom?: number;
  /** What may be generated. */
  grammar?: GrammarState;
  /** MTP blocks to draft with; by default all, 0 for plain decoding. */
  drafts?: number;
  /**
   * Lets an engine verify fewer drafts where that is measured to be faster. The distribution of tokens is
   * the same, but which are drawn depends on the number of drafts: what is to come again by its seed
   * needs a fixed one. By default where no `drafts` are given and the temperature is 0.
   */
  adaptiveDrafts?: boolean;
  /** Scores each generated token, and gives the `top` most probable ones in its place. */
  logprobs?: { top: number };
  signal?: AbortSignal;
  /** Prompts share caches only with those of the same salt. */
  cacheSalt?: string;
  /**
   * The conversation of which this is a turn. It goes on from the caches of the turn before, if the prompt
   * begins with all of that, and shares them with no other.
   */
  session?: string;
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
  /** Of each token, if asked for. */
  scores?: ScoredToken[];
  /** Of each token, if routes are asked for: see `StepAnswer`. */
  experts?: Int32Array[];
  /** With the first step. */
  prompt?: PromptReading;
}

/** A step of an `Engine`, with the version of the weights that drew its tokens. */
export interface VersionedStep extends GenerationStep {
  weightVersion: number;
}

export interface PromptReading {
  /** Tokens that were in a cache. */
  cachedTokens: number;
  /** From `promptLogprobs.from` on; the very first token of a prompt has none. */
  logprobs?: (ScoredToken | null)[];
  /** Routes of all positions from `routedExperts.from` on but the prompt's last. */
  experts?: Int32Array;
}

/** What generates tokens after a prompt: a `Sequence` alone, an `Engine` for many at once. */
export interface TokenGenerator {
  /** @throws UserError if the prompt is empty or does not fit */
  generate(prompt: readonly number[], options?: GenerationOptions): AsyncIterable<GenerationStep>;
}

/** One answer to a prompt: how it is sampled, what is told about it, and when it ends. */
export class Generation {
  /** Drafts of every step, or the most: random numbers depend on how many there are. */
  readonly drafts: number;
  /** Whether a step may have fewer drafts. */
  readonly isAdaptive: boolean;
  readonly signal: AbortSignal | undefined;
  /** What was asked for about the prompt; null for nothing. */
  readonly report: PromptReport | null;
  /** Tokens of the prompt found in a cache; null before anything was looked for. */
  cachedTokens: number | null = null;
  /** What a step has to know of it. */
  readonly step: Omit<StepRequest, 'sequence'>;
  readonly #stops: ReadonlySet<number>;
  #left: number;
  #isFirst = true;

  /** `cacheTokens`: the most positions that the caches can hold of one sequence. */
  constructor(
    { config, mtp }: Model,
    prompt: readonly number[],
    options: GenerationOptions,
    cacheTokens: number,
  ) {
    const { sampling = greedy, stopTokens = config.eosTokenIds, routedExperts } = options;
    if (prompt.length === 0) throw new UserError('the prompt is empty: give at least one token');
    const least = options.maxTokens === 0 ? 0 : 1;
    const context = config.maxPositions - prompt.length;
    if (context < least) {
      throw new UserError(
        `the prompt has ${prompt.length} tokens, but the model's context is ${config.maxPositions}: shorten it`,
      );
    }
    // A step writes its drafts to the cache, right or wrong.
    const cache = cacheTokens - mtp.length - prompt.length;
    if (cache < least) {
      throw new UserError(
        `the prompt has ${prompt.length} tokens, but the cache holds ${cacheTokens - mtp.length}: shorten it, or give the cache more tokens`,
      );
    }
    this.signal = options.signal;
    this.report =
      options.promptLogprobs || routedExperts ? new PromptReport(prompt, options) : null;
    this.#stops = new Set(stopTokens);
    this.#left = Math.min(options.maxTokens ?? context, context, cache);
    const useful = Math.max(0, this.#left - 1);
    this.drafts = Math.min(mtp.length, options.drafts ?? mtp.length, useful);
    this.isAdaptive =
      options.adaptiveDrafts ?? (options.drafts === undefined && sampling.temperature === 0);
    const changes = LogitChanges.of(sampling, prompt.slice(0, options.answerFrom));
    const constraint = options.grammar ? new ConstrainedOutput(options.grammar, stopTokens) : null;
    const said = prompt.slice(options.answerFrom ?? prompt.length);
    changes?.add(said);
    constraint?.add(said);
    this.step = {
      sampling,
      random: new Random(options.seed ?? 0, 'sampling'),
      changes,
      constraint,
      scores: options.logprobs,
      routes: routedExperts !== undefined,
    };
  }

  /** Whether there is anything to generate. */
  get isEmpty(): boolean {
    return this.#left <= 0;
  }

  /** Whether there is more to generate after the next token, unless that ends it. */
  get goesOn(): boolean {
    return this.#left > 1;
  }

  /**
   * Takes what a pass of the model with so many drafts gave: up to a stop token, and no more than asked
   * for.
   */
  take({ tokens: given, scores, experts }: StepAnswer, drafts: number): GenerationStep {
    const stop = given.findIndex((token) => this.#stops.has(token));
    const upToStop = stop < 0 ? given.length : stop + 1;
    const { changes, constraint } = this.step;
    const possible = given.slice(0, Math.min(upToStop, this.#left));
    const tokens = possible.slice(0, constraint?.add(possible) ?? possible.length);
    // Drafts that there was no room for count neither as right nor as wrong.
    const drafted = Math.max(0, Math.min(drafts, this.#left - 1));
    this.#left -= tokens.length;
    changes?.add(tokens);
    const isStop = this.#stops.has(tokens.at(-1)!) || constraint?.isOver === true;
    const finish = isStop ? 'stop' : this.#left === 0 ? 'length' : null;
    const prompt = this.#isFirst && {
      prompt: { cachedTokens: this.cachedTokens ?? 0, ...this.report?.result },
    };
    this.#isFirst = false;
    return {
      tokens,
      drafted,
      finish,
      ...(scores && { scores: scores.slice(0, tokens.length) }),
      ...(experts && { experts: experts.slice(0, tokens.length) }),
      ...prompt,
    };
  }

  /** The only step of a generation of nothing, once the prompt has been read. */
  takeNothing(): GenerationStep {
    return this.take({ tokens: [] }, 0);
  }
}
