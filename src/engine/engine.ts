import { UserError } from '../errors.ts';
import type { Model } from '../model/weights.ts';
import type { CachedSequence } from './cached-sequence.ts';
import { Decoder, type PromptPart } from './decoder.ts';
import { draftGroups } from './draft-groups.ts';
import { DraftPolicy } from './draft-policy.ts';
import type { EngineOptions } from './engine-options.ts';
import { newRequest, type Request, type Running } from './engine-request.ts';
import {
  Generation,
  type GenerationOptions,
  type GenerationStep,
  type TokenGenerator,
} from './generation.ts';
import { pageSize } from './key-value-pool.ts';
import { nextTask } from './next-task.ts';
import { PrefixCache } from './prefix-cache.ts';
import { chunkEnd } from './prompt-chunks.ts';
import { SessionCache } from './session-cache.ts';

/**
 * Continuous batching (Yu et al. 2022, Orca): requests join and leave at every step. Prompts pass the
 * model in chunks between the steps, so that a long one does not hold up those that are being answered.
 *
 * First come, first served. When the pages of the caches run out, the youngest request gives its own back
 * and waits in front of the queue; later it is computed again from its tokens. The oldest can always go
 * on, for a request that would not fit alone is refused.
 */
export class Engine implements TokenGenerator {
  readonly #decoder: Decoder;
  readonly #cache: PrefixCache;
  readonly #sessions: SessionCache;
  readonly #drafting: DraftPolicy;
  readonly #sequences: number;
  readonly #cacheTokens: number;
  readonly #prefillTokens: number;
  #waiting: Request[] = [];
  /** Oldest first. */
  #running: Running[] = [];
  #preemptions = 0;
  #work: Promise<void> | null = null;
  #isReleased = false;

  constructor(model: Model, options: EngineOptions = {}) {
    const { sequences = 32, prefillTokens = 512, vocabSize } = options;
    const longest = model.config.maxPositions + model.mtp.length;
    const limit = options.cacheTokens ?? sequences * longest;
    this.#cacheTokens = Math.ceil(limit / pageSize) * pageSize;
    this.#prefillTokens = prefillTokens;
    this.#sequences = sequences;
    this.#drafting = new DraftPolicy(model.mtp.length);
    const {
      prefixTokens = 8 * longest,
      snapshots = sequences + 32,
      sessions = sequences,
    } = options;
    const idlePages = Math.ceil(prefixTokens / pageSize);
    this.#decoder = new Decoder(model, {
      sequences,
      snapshots: sessions + (idlePages > 0 ? snapshots : 0),
      cacheTokens: this.#cacheTokens,
      vocabSize,
    });
    this.#cache = new PrefixCache(this.#decoder.pool, model.mtp.length, { idlePages, snapshots });
    this.#sessions = new SessionCache(this.#cache, sessions);
  }

  /** Requests being worked on, those that wait, and how often one had to give its memory back so far. */
  get load(): { running: number; waiting: number; preemptions: number } {
    const { length: running } = this.#running;
    return { running, waiting: this.#waiting.length, preemptions: this.#preemptions };
  }

  /**
   * Pages of the caches that no request holds, of these the ones that are kept for later requests, and
   * bytes of device memory by layer kind.
   */
  get memory(): { freePages: number; keptPages: number; global: number; sliding: number } {
    const { availablePages: freePages } = this.#sessions;
    return { freePages, keptPages: this.#cache.idlePages, ...this.#decoder.cacheBytes };
  }

  /**
   * Generates after `prompt`, together with whatever else is asked for. Leaving the loop over the steps
   * cancels the request.
   *
   * @throws UserError if the prompt is empty or could never fit
   */
  async *generate(
    prompt: readonly number[],
    options: GenerationOptions = {},
  ): AsyncGenerator<GenerationStep> {
    if (this.#isReleased) throw new UserError('the engine has been released: make a new one');
    const generation = new Generation(this.#decoder.model, prompt, options, this.#cacheTokens);
    generation.signal?.throwIfAborted();
    if (generation.isEmpty && !generation.report) return;
    const request = newRequest(prompt, generation, options);
    this.#waiting.push(request);
    this.#work ??= this.#run();
    try {
      yield* request.steps;
    } finally {
      request.isCancelled = true;
    }
  }

  /** Ends all requests and frees the memory of the caches. */
  async release(): Promise<void> {
    this.#isReleased = true;
    await this.#work;
    this.#decoder.release();
  }

  async #run(): Promise<void> {
    try {
      while (this.#waiting.length + this.#running.length > 0) {
        if (this.#isReleased) throw new UserError('the engine was released while it was answering');
        this.#dropCancelled();
        this.#admit();
        const hasPrompts = await this.#prefill();
        await this.#decode(!hasPrompts);
        await nextTask();
      }
    } catch (error) {
      // What failed is the device or the whole engine, not one request.
      for (const request of this.#waiting.splice(0)) request.steps.fail(error);
      for (const request of this.#running) this.#leave(request).steps.fail(error);
    } finally {
      this.#work = null;
    }
  }

  #dropCancelled(): void {
    const isDropped = ({ generation: { signal }, isCancelled, steps }: Request): boolean => {
      if (signal?.aborted) steps.fail(signal.reason);
      return isCancelled || signal?.aborted === true;
    };
    for (const request of this.#running.filter(isDropped)) this.#leave(request);
    this.#waiting = this.#waiting.filter((request) => !isDropped(request));
  }

  /** Lets requests join while there is memory for their tokens, and for a page more of each. */
  #admit(): void {
    while (this.#running.length < this.#sequences) {
      const request = this.#waiting[0];
      if (!request) return;
      const spare = this.#running.length === 0 ? 0 : this.#running.length + 1;
      const sequence = this.#sessions.open(request, spare);
      if (!sequence) return;
      // One that was preempted finds its own pages.
      request.generation.cachedTokens ??= sequence.length;
      const running = Object.assign(request, { sequence });
      this.#running.push(running);
      this.#waiting.shift();
      if (!this.#reserve(running, request.tokens.length)) return;
    }
  }

  /** One chunk of each prompt, as many as may pass between two steps; false if there are none. */
  async #prefill(): Promise<boolean> {
    const parts: (PromptPart & { sequence: CachedSequence })[] = [];
    let rows = 0;
    for (const {
      sequence,
      generation: { report },
    } of this.#running) {
      const end = chunkEnd(sequence);
      const count = end - sequence.length;
      if (count === 0) continue;
      if (rows > 0 && rows + count > this.#prefillTokens) break;
      parts.push({ sequence, end, report, snapshots: this.#cache.snapshots(sequence, end) });
      rows += count;
    }
    if (parts.length === 0) return false;
    await this.#decoder.prefill(parts);
    for (const { sequence } of parts) this.#cache.afterPrefill(sequence);
    return true;
  }

  /**
   * One step of all whose prompt has passed the model, those with the same number of drafts together.
   * `isAlone`: nothing else keeps the device busy.
   */
  async #decode(isAlone: boolean): Promise<void> {
    const isReady = ({ sequence }: Running) => sequence.length === sequence.tokens.length - 1;
    for (const request of this.#running.filter(isReady)) {
      const { generation, steps } = request;
      if (!generation.isEmpty) continue;
      steps.push(generation.takeNothing());
      this.#leave(request).steps.close();
    }
    const mostDrafts = this.#decoder.model.mtp.length;
    for (const request of this.#running.filter(isReady)) {
      // Unless it has just been preempted itself.
      if (this.#running.includes(request)) {
        this.#reserve(request, request.sequence.length + mostDrafts + 1);
      }
    }
    const groups = draftGroups(this.#running.filter(isReady), this.#drafting);
    for (const [drafts, requests] of groups) {
      const begin = performance.now();
      const given = await this.#decoder.step(
        requests.map(({ sequence, generation: { step } }) => ({ sequence, ...step })),
        drafts,
      );
      const seconds = (performance.now() - begin) / 1000;
      const accepted = given.map(({ tokens }) => tokens.length - 1);
      if (isAlone) this.#drafting.observe({ drafts, seconds, accepted });
      requests.forEach((request, i) => {
        const step = request.generation.take(given[i]!, drafts);
        request.sequence.append(step.tokens);
        this.#cache.afterStep(request.sequence);
        request.steps.push(step);
        if (step.experts) request.routes.push(...step.experts);
        if (step.finish) this.#leave(request, true).steps.close();
      });
    }
  }

  /** Sees to memory for a running request, preempting the youngest; false if that was itself. */
  #reserve(request: Running, positions: number): boolean {
    while (!this.#sessions.reserve(request.sequence, positions)) {
      const youngest = this.#running.at(-1)!;
      this.#leave(youngest);
      if (this.#running.length === 0) {
        youngest.steps.fail(
          new UserError(
            `there is no memory left for the keys and values of ${positions} tokens: give the engine fewer sequences, or ask for fewer tokens`,
          ),
        );
      } else {
        this.#waiting.unshift(youngest);
        this.#preemptions++;
      }
      if (youngest === request) return false;
    }
    return true;
  }

  #leave(request: Running, isDone = false): Running {
    this.#running = this.#running.filter((other) => other !== request);
    this.#sessions.close(request, isDone);
    return request;
  }
}
