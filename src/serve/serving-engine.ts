/**
 * What a server needs of an engine: token ids in, tokens out as they are generated. Text, chats and
 * HTTP are above it; batching, caches and kernels below.
 */
import type { ScoredToken, TokenLogprob } from '../engine/token-reports.ts';
import type { OutputGrammar } from '../grammar/output-grammar.ts';
import type { ModelConfig } from '../model/config.ts';
import type { CacheType } from '../tensor/cache-type.ts';

export type { ScoredToken, TokenLogprob };

export interface ServingEngine {
  readonly config: ModelConfig;
  /** Most tokens of a prompt and its answer together. */
  readonly contextTokens: number;
  /** What it can do beyond temperature, top-p, top-k and seeds; the rest has to be refused. */
  readonly features: ReadonlySet<EngineFeature>;
  /** Names the weights that new requests run on. */
  readonly weightVersion: string;
  /** Why it can answer nothing any more, nor ever again; `null` while it can. */
  readonly failure: string | null;

  /**
   * Generates after a prompt. A request ends when its signal aborts, and then the iteration throws
   * the signal's reason; and when the iteration is left.
   */
  submit(request: GenerationRequest): AsyncIterable<GenerationEvent>;

  /** @throws UserError saying what in a grammar is wrong, or not understood. */
  checkGrammar(grammar: OutputGrammar): Promise<void>;

  figures(): EngineFigures;

  /**
   * Replaces the weights by those of a checkpoint of the same shape. Requests in work end on the
   * weights that they began with; later ones run on the new.
   *
   * @throws UserError if it does not load; the present weights then stay.
   */
  loadWeights(directory: string, version: string): Promise<void>;
}

export type EngineFeature =
  | 'min-p'
  | 'penalties'
  | 'logit-bias'
  | 'logprobs'
  | 'prompt-logprobs'
  | 'routed-experts'
  | 'grammar'
  | 'cache-salt'
  | 'load-weights';

export interface GenerationRequest {
  prompt: readonly number[];
  /** Where in the prompt an answer begins that is to be continued; by default at its end. */
  answerFrom?: number;
  sampling: SamplingParameters;
  /** `null`: any, and the answer need not come again. */
  seed: number | null;
  /** Most tokens to generate; 0 only reads the prompt. */
  maxTokens: number;
  /** Tokens that end the generation; the one that does is the last to be given. */
  stopTokens: readonly number[];
  /** Ids from here on are padding of the head and never sampled. */
  vocabSize: number;
  /** What the answer may be. */
  grammar?: OutputGrammar;
  /** Gives each token its log-probability, and the `top` most probable ones with theirs. */
  logprobs?: { top: number };
  /** The same for the prompt's tokens from position `from` on. */
  promptLogprobs?: { top: number; from: number };
  /** Gives the experts that each position from `from` on was routed to. */
  routedExperts?: { from: number };
  /** Caches are shared only between requests of equal salt. */
  cacheSalt?: string;
  /** The conversation of which this is a turn: its caches are its own, and kept for its next one. */
  session?: string;
  signal: AbortSignal;
}

/** How tokens are drawn. */
export interface SamplingParameters {
  /** 0 takes the most probable token. */
  temperature: number;
  /** Keeps the smallest set of most probable tokens whose probability reaches this; 1 keeps all. */
  topP: number;
  /** Keeps the k most probable tokens; 0 keeps all. */
  topK: number;
  /** Drops tokens less probable than this share of the most probable one's; 0 drops none. */
  minP: number;
  /** Taken off the logit of every token that was generated before. */
  presencePenalty: number;
  /** The same for each time that it was. */
  frequencyPenalty: number;
  /** Divides positive and multiplies negative logits of tokens in prompt and answer; 1 is none. */
  repetitionPenalty: number;
  /** Added to the logits of these tokens. */
  logitBias: ReadonlyMap<number, number>;
}

export const noPenalties = {
  minP: 0,
  presencePenalty: 0,
  frequencyPenalty: 0,
  repetitionPenalty: 1,
  logitBias: new Map<number, number>(),
} satisfies Partial<SamplingParameters>;

export interface GeneratedToken {
  id: number;
  /** The MTP head that drafted it, from 0; `null` for the model itself. */
  head: number | null;
  score?: ScoredToken;
  /** [trunk's expert layers, experts per token]: the routes of the position that it was drawn from. */
  experts?: Int32Array;
}

export type GenerationEvent =
  /** The prompt is read; comes first and once. */
  | {
      type: 'prompt';
      /** Names the weights that the request runs on. */
      weightVersion: string;
      /** Tokens that were in a cache. */
      cachedTokens: number;
      /** From `promptLogprobs.from` on; the very first token of a prompt has none. */
      logprobs?: readonly (ScoredToken | null)[];
      /** Routes of all positions from `routedExperts.from` on but the prompt's last. */
      experts?: Int32Array;
    }
  /** The tokens of one pass of the model. */
  | { type: 'tokens'; tokens: readonly GeneratedToken[] }
  | { type: 'finish'; reason: 'stop' | 'length'; drafting: DraftingFigures };

/** How drafting went; index k is about head k. */
export interface DraftingFigures {
  /** Passes that verified drafts. */
  verifications: number;
  drafted: readonly number[];
  accepted: readonly number[];
}

export interface EngineFigures {
  running: number;
  waiting: number;
  /** Times that a request had to give its memory back and begin anew. */
  preemptions: number;
  /** What keys and values are kept in. */
  cacheType: CacheType;
  /** Bytes of memory for them, by kind of layer. */
  cacheBytes: { global: number; sliding: number };
  /** Pages of the global layers' caches: of requests, and kept for later ones that begin alike. */
  cachePages: { used: number; kept: number; total: number };
  /** Since the engine started. */
  drafting: DraftingFigures;
}
