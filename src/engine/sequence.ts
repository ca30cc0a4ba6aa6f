import { UserError } from '../errors.ts';
import type { Batch } from '../model/batch.ts';
import { mtpInput } from '../model/mtp.ts';
import { trunk } from '../model/trunk.ts';
import type { Model } from '../model/weights.ts';
import { Random } from '../random.ts';
import { linear } from '../tensor/ops/index.ts';
import { readFloats, Scope } from '../tensor/scope.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { Drafter } from './drafter.ts';
import { distribution, draw, greedy, type SamplingOptions } from './sampling.ts';
import { SequenceCache } from './sequence-cache.ts';
import { type Draft, verify } from './verification.ts';

export interface GenerationOptions {
  sampling?: SamplingOptions;
  seed?: number;
  /** Most tokens to generate; by default as many as the context holds. */
  maxTokens?: number;
  /** Tokens that end the generation (and are yielded); by default the model's end of turn. */
  stopTokens?: readonly number[];
  /** MTP blocks to draft with; by default all, 0 for plain decoding. */
  drafts?: number;
  /** Ids from here on are padding of the head and never sampled. */
  vocabSize?: number;
  signal?: AbortSignal;
}

/** Tokens of one pass of the model: `drafted` were proposed, all but the last token were accepted. */
export interface GenerationStep {
  tokens: number[];
  drafted: number;
}

/** Rows of a prompt that pass the model at once. */
const chunkRows = 512;

/**
 * One sequence of tokens and its caches, on which a model generates. Generating again from a longer
 * prompt that begins with what is already there computes the new part only.
 */
export class Sequence {
  readonly #model: Model;
  readonly #cache: SequenceCache;
  readonly #drafter: Drafter | null;
  /** Everything so far; the cache holds all of it or all but the last token. */
  #tokens: number[] = [];

  constructor(model: Model) {
    this.#model = model;
    this.#cache = new SequenceCache(model);
    this.#drafter =
      model.mtp.length > 0 ? new Drafter(model, this.#cache, model.mtp.length + 1) : null;
  }

  get tokens(): readonly number[] {
    return this.#tokens;
  }

  /** Bytes of keys and values held, by layer kind. */
  get cacheBytes(): { global: number; sliding: number } {
    return this.#cache.bytes();
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
    const { config, mtp } = this.#model;
    const sampling = options.sampling ?? greedy;
    const vocabSize = options.vocabSize ?? config.vocabSize;
    const stops = new Set(options.stopTokens ?? config.eosTokenIds);
    const random = new Random(options.seed ?? 0, 'sampling');
    const room = config.maxPositions - prompt.length;
    const wanted = Math.min(mtp.length, options.drafts ?? mtp.length);
    if (prompt.length === 0) throw new UserError('the prompt is empty: give at least one token');
    if (room <= 0) {
      throw new UserError(
        `the prompt has ${prompt.length} tokens, but the model's context is ${config.maxPositions}: shorten it`,
      );
    }
    let left = Math.min(options.maxTokens ?? room, room);
    if (left <= 0) return;

    const logits = await this.#prefill(prompt, options.signal);
    const first = draw(distribution(logits, sampling, vocabSize), random);
    this.#tokens.push(first);
    yield { tokens: [first], drafted: 0 };
    left--;
    let done = stops.has(first);
    while (!done && left > 0) {
      options.signal?.throwIfAborted();
      const count = Math.min(wanted, left - 1);
      const drafts =
        count > 0
          ? await this.#drafter!.draft(this.#tokens, count, sampling, random, vocabSize)
          : [];
      const tokens = await this.#verify(
        drafts,
        (targets) =>
          verify(
            drafts,
            targets.map((row) => distribution(row, sampling, vocabSize)),
            random,
          ),
        stops,
      );
      left -= tokens.length;
      done = stops.has(tokens.at(-1)!);
      yield { tokens, drafted: drafts.length };
    }
  }

  /** Forgets all tokens. */
  clear(): void {
    this.#tokens = [];
    this.#cache.clear();
  }

  release(): void {
    this.#cache.release();
    this.#drafter?.release();
  }

  /** Brings the cache to the end of the prompt; → the logits after its last token. */
  async #prefill(prompt: readonly number[], signal?: AbortSignal): Promise<Float32Array> {
    const extendsPresent =
      prompt.length > this.#cache.length(0) &&
      this.#tokens.every((token, i) => token === prompt[i]);
    if (!extendsPresent) this.clear();
    this.#tokens = [...prompt];
    for (;;) {
      signal?.throwIfAborted();
      const begin = this.#cache.length(0);
      const end = Math.min(begin + chunkRows, prompt.length);
      const isLast = end === prompt.length;
      const [logits] = await this.#forward(
        prompt.slice(begin, end),
        isLast ? 1 : 0,
        () => end - begin,
      );
      if (isLast) return logits!;
    }
  }

  /** One pass over the pending token and the drafts; keeps what `choose` makes of the logits. */
  async #verify(
    drafts: readonly Draft[],
    choose: (targets: Float32Array[]) => number[],
    stops: ReadonlySet<number>,
  ): Promise<number[]> {
    const rows = [this.#tokens.at(-1)!, ...drafts.map(({ token }) => token)];
    let chosen: number[] = [];
    await this.#forward(rows, rows.length, (targets) => {
      chosen = choose(targets);
      const stop = chosen.findIndex((token) => stops.has(token));
      if (stop >= 0) chosen.length = stop + 1;
      return chosen.length;
    });
    this.#tokens.push(...chosen);
    return chosen;
  }

  /**
   * Runs the trunk over `tokens` after what the cache holds, reads the logits of the last
   * `logitRows` rows, and commits as many rows as `accept` says.
   */
  async #forward(
    tokens: readonly number[],
    logitRows: number,
    accept: (logits: Float32Array[]) => number,
  ): Promise<Float32Array[]> {
    const model = this.#model;
    const { device, config } = model;
    const scope = new Scope(device);
    try {
      const begin = this.#cache.length(0);
      const count = tokens.length;
      const batch: Batch = {
        tokens: scope.from([count], Int32Array.from(tokens)),
        positions: scope.from(
          [count],
          Int32Array.from(tokens, (_, row) => begin + row),
        ),
        rowStart: scope.from([count], new Int32Array(count)),
      };
      const call = this.#cache.begin(scope, 0, config.layers.length, count);
      const result = trunk(scope, model, batch, { cache: call });
      const logits = await this.#logits(scope, result.hidden.slice(count - logitRows, count));
      const accepted = accept(logits);
      call.commit(accepted);
      this.#drafter?.remember(scope, mtpInput(model, result).slice(0, accepted), begin);
      return logits;
    } finally {
      scope.close();
    }
  }

  async #logits(scope: Scope, hidden: Tensor): Promise<Float32Array[]> {
    if (hidden.rows === 0) return [];
    const { head, device } = this.#model;
    const all = await readFloats(device, linear(scope, hidden, head));
    const width = head.shape[0]!;
    return Array.from({ length: hidden.rows }, (_, row) =>
      all.subarray(row * width, (row + 1) * width),
    );
  }
}
