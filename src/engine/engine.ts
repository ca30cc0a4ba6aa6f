import { UserError } from '../errors.ts';
import type { Model } from '../model/weights.ts';
import type { CacheType } from '../tensor/cache-type.ts';
import type { CachedSequence } from './cached-sequence.ts';
import { Channel } from './channel.ts';
import { Decoder } from './decoder.ts';
import type { EngineOptions } from './engine-options.ts';
import {
  Generation,
  type GenerationOptions,
  type GenerationStep,
  type TokenGenerator,
} from './generation.ts';
import { pageSize } from './key-value-pool.ts';
import { nextTask } from './next-task.ts';
import { type OpenOptions, PrefixCache } from './prefix-cache.ts';
import { chunkEnd } from './prompt-chunks.ts';
import type { QueuedStep } from './queued-step.ts';
import type { StepAnswer } from './step-outputs.ts';
import type { PromptPart } from './step-request.ts';

interface Request {
  generation: Generation;
  steps: Channel<GenerationStep>;
  opening: Omit<OpenOptions, 'spare'>;
  /** The prompt and what has been generated. */
  tokens: number[];
  isCancelled: boolean;
}

interface Running extends Request {
  sequence: CachedSequence;
}

/** A step and whose it is. */
interface EngineStep {
  queued: QueuedStep;
  requests: readonly Running[];
}

/**
 * Continuous batching (Yu et al. 2022, Orca): requests join and leave at every step. Prompts pass the
 * model in chunks between the steps, so that a long one does not hold up those that are being answered.
 *
 * First come, first served. When the pages of the caches run out, the youngest request gives its own back
 * and waits in front of the queue; later it is computed again from its tokens. The oldest can always go
 * on, for a request that would not fit alone is refused.
 *
 * Without drafts and constraints, the next step needs nothing from the host but positions. While all requests go on, it
 * is therefore queued before the tokens of the one before are read, so that the device need not wait for
 * the host; what it computes for a request that has ended in the meantime is dropped.
 */
export class Engine implements TokenGenerator {
  readonly #decoder: Decoder;
  readonly #cache: PrefixCache;
  readonly #sequences: number;
  readonly #cacheTokens: number;
  readonly #prefillTokens: number;
  #waiting: Request[] = [];
  /** Oldest first. */
  #running: Running[] = [];
  /** Queued before the one before it was read. */
  #ahead: EngineStep | null = null;
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
    const { prefixTokens = 8 * longest, snapshots = sequences + 32 } = options;
    const idlePages = Math.ceil(prefixTokens / pageSize);
    this.#decoder = new Decoder(model, {
      sequences,
      snapshots: idlePages > 0 ? snapshots : 0,
      cacheTokens: this.#cacheTokens,
      vocabSize,
      cacheType: options.cacheType,
    });
    this.#cache = new PrefixCache(this.#decoder.pool, model.mtp.length, { idlePages, snapshots });
  }

  /** Requests being worked on, those that wait, and how often one had to give its memory back so far. */
  get load(): { running: number; waiting: number; preemptions: number } {
    const preemptions = this.#preemptions;
    return { running: this.#running.length, waiting: this.#waiting.length, preemptions };
  }

  /**
   * Pages of the caches that no request holds, of these the ones that are kept for later requests, and
   * what they hold, and bytes of device memory by layer kind.
   */
  get memory(): {
    freePages: number;
    keptPages: number;
    cacheType: CacheType;
    global: number;
    sliding: number;
  } {
    const { availablePages: freePages, idlePages: keptPages } = this.#cache;
    const { cacheType, cacheBytes } = this.#decoder;
    return { freePages, keptPages, cacheType, ...cacheBytes };
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
    const steps = new Channel<GenerationStep>();
    const { cacheSalt: salt = '', mostCachedTokens = prompt.length } = options;
    // What is to be reported of the prompt has to pass the model.
    const most = Math.min(mostCachedTokens, generation.report?.firstPosition ?? prompt.length);
    const opening = { salt, most };
    const request: Request = {
      generation,
      steps,
      opening,
      tokens: [...prompt],
      isCancelled: false,
    };
    this.#waiting.push(request);
    this.#work ??= this.#run();
    try {
      yield* steps;
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
      while (this.#waiting.length + this.#running.length > 0 || this.#ahead) {
        if (this.#isReleased) throw new UserError('the engine was released while it was answering');
        this.#dropCancelled();
        await this.#finishAhead();
        this.#admit();
        await this.#prefill();
        await this.#decode();
        await nextTask();
      }
    } catch (error) {
      // What failed is the device or the whole engine, not one request.
      for (const request of this.#waiting.splice(0)) request.steps.fail(error);
      for (const request of this.#running) this.#leave(request).steps.fail(error);
      // Its memory is given back when the device is done with it.
      await this.#ahead?.queued.read().catch(() => {});
    } finally {
      this.#ahead = null;
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
    while (this.#canAdmit()) {
      const request = this.#waiting[0]!;
      const { tokens, opening, generation } = request;
      const spare = this.#running.length === 0 ? 0 : this.#running.length + 1;
      const sequence = this.#cache.open(tokens, { ...opening, spare });
      if (!sequence) return;
      // One that was preempted finds its own pages.
      generation.cachedTokens ??= sequence.length;
      const running = Object.assign(request, { sequence });
      this.#running.push(running);
      this.#waiting.shift();
      if (!this.#reserve(running, tokens.length)) return;
    }
  }

  /** Whether a request waits that may join if there is memory for it. */
  #canAdmit(): boolean {
    return this.#waiting.length > 0 && this.#running.length < this.#sequences;
  }

  /** One chunk of each prompt, as many as may pass between two steps. */
  async #prefill(): Promise<void> {
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
    if (parts.length === 0) return;
    await this.#decoder.prefill(parts);
    for (const { sequence } of parts) this.#cache.afterPrefill(sequence);
  }

  /** One step of all whose prompt has passed the model, those with the same number of drafts together. */
  async #decode(): Promise<void> {
    const isReady = ({ sequence }: Running) => sequence.length === sequence.tokens.length - 1;
    for (const request of this.#running.filter(isReady)) {
      const { generation, steps } = request;
      if (!generation.isEmpty) continue;
      steps.push(generation.takeNothing());
      this.#leave(request).steps.close();
    }
    for (const request of this.#running.filter(isReady)) {
      const { sequence, generation } = request;
      // Unless it has just been preempted itself.
      if (this.#running.includes(request)) {
        this.#reserve(request, sequence.length + generation.drafts + 1);
      }
    }
    const groups = Map.groupBy(this.#running.filter(isReady), (r) => r.generation.drafts);
    for (const [drafts, requests] of groups) {
      this.#give(requests, await this.#step(requests, drafts));
    }
  }

  /** Takes a step, and queues the next before it waits where all go on. */
  #step(requests: readonly Running[], drafts: number): Promise<StepAnswer[]> {
    const asked = requests.map(({ sequence, generation: { step } }) => ({ sequence, ...step }));
    if (!this.#decoder.goesAhead(asked, drafts)) return this.#decoder.step(asked, drafts);
    const queued = this.#ahead?.queued ?? this.#decoder.queue(asked);
    const goesOn = this.#allGoOn(requests);
    this.#ahead = goesOn ? { queued: this.#decoder.queueAfter(queued), requests } : null;
    return queued.read();
  }

  /** Reads the step that was queued ahead, if what comes next is not just one more for all. */
  async #finishAhead(): Promise<void> {
    if (!this.#ahead) return;
    const { queued, requests } = this.#ahead;
    if (this.#areAll(requests) && !this.#canAdmit()) return;
    const given = await queued.read();
    this.#ahead = null;
    this.#give(requests, given);
  }

  /** Whether one more step of these, all that there are, comes after the next; sees to its memory. */
  #allGoOn(requests: readonly Running[]): boolean {
    if (!this.#areAll(requests) || this.#canAdmit()) return false;
    if (!requests.every(({ generation }) => generation.goesOn)) return false;
    // Nobody is preempted for a step that may turn out to be in vain.
    if (this.#cache.availablePages < requests.length) return false;
    return requests.every(({ sequence }) => this.#cache.reserve(sequence, sequence.length + 2));
  }

  #areAll(requests: readonly Running[]): boolean {
    return (
      requests.length === this.#running.length &&
      requests.every((request, i) => request === this.#running[i])
    );
  }

  /** Hands out what a step gave to those that are still there. */
  #give(requests: readonly Running[], given: readonly StepAnswer[]): void {
    requests.forEach((request, i) => {
      if (!this.#running.includes(request)) return;
      const step = request.generation.take(given[i]!);
      request.sequence.append(step.tokens);
      this.#cache.afterStep(request.sequence);
      request.steps.push(step);
      if (step.finish) this.#leave(request).steps.close();
    });
  }

  /** Sees to memory for a running request, preempting the youngest; false if that was itself. */
  #reserve(request: Running, positions: number): boolean {
    while (!this.#cache.reserve(request.sequence, positions)) {
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

  #leave(request: Running): Running {
    this.#running = this.#running.filter((other) => other !== request);
    this.#cache.close(request.sequence);
    return request;
  }
}
