import { UserError } from '../errors.ts';
import type { Model } from '../model/weights.ts';
import { Channel } from './channel.ts';
import { Decoder } from './decoder.ts';
import type { DecoderSequence } from './decoder-sequence.ts';
import {
  Generation,
  type GenerationOptions,
  type GenerationStep,
  type TokenGenerator,
} from './generation.ts';
import { pageSize } from './key-value-pool.ts';
import { nextTask } from './next-task.ts';
import { chunkEnd } from './prompt-chunks.ts';
import type { PromptPart } from './step-request.ts';

export interface EngineOptions {
  /** Most requests worked on at once; more wait. */
  sequences?: number;
  /** Positions that the global layers' caches may hold, of all requests together; by default no limit. */
  cacheTokens?: number;
  /**
   * Prompt tokens that pass the model between two steps of decoding, or one chunk (see `chunkEnd`) if
   * that is more. A larger number delays the requests that are being answered.
   */
  prefillTokens?: number;
  /** Ids from here on are padding of the head and never sampled. */
  vocabSize?: number;
}

interface Request {
  generation: Generation;
  steps: Channel<GenerationStep>;
  /** The prompt and what has been generated. */
  tokens: number[];
  isCancelled: boolean;
}

interface Running extends Request {
  sequence: DecoderSequence;
}

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
    this.#decoder = new Decoder(model, { sequences, cacheTokens: this.#cacheTokens, vocabSize });
  }

  /** Requests being worked on, those that wait, and how often one had to give its memory back so far. */
  get load(): { running: number; waiting: number; preemptions: number } {
    const preemptions = this.#preemptions;
    return { running: this.#running.length, waiting: this.#waiting.length, preemptions };
  }

  /** Pages of the caches that are free, and bytes of device memory by layer kind. */
  get memory(): { freePages: number; global: number; sliding: number } {
    return { freePages: this.#decoder.availablePages, ...this.#decoder.cacheBytes };
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
    const request: Request = { generation, steps, tokens: [...prompt], isCancelled: false };
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
      while (this.#waiting.length + this.#running.length > 0) {
        if (this.#isReleased) throw new UserError('the engine was released while it was answering');
        this.#dropCancelled();
        this.#admit();
        await this.#prefill();
        await this.#decode();
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
    for (;;) {
      const request = this.#waiting[0];
      if (!request) return;
      const pages = Math.ceil(request.tokens.length / pageSize);
      const isAlone = this.#running.length === 0;
      const spare = isAlone ? 0 : this.#running.length + 1;
      if (this.#decoder.availablePages < pages + spare) return;
      const sequence = this.#decoder.open(request.tokens);
      if (!sequence) return;
      const running = Object.assign(request, { sequence });
      this.#running.push(running);
      this.#waiting.shift();
      if (!this.#reserve(running, request.tokens.length)) return;
    }
  }

  /** One chunk of each prompt, as many as may pass between two steps. */
  async #prefill(): Promise<void> {
    const parts: PromptPart[] = [];
    let rows = 0;
    for (const {
      sequence,
      generation: { report },
    } of this.#running) {
      const end = chunkEnd(sequence);
      const count = end - sequence.length;
      if (count === 0) continue;
      if (rows > 0 && rows + count > this.#prefillTokens) break;
      parts.push({ sequence, end, report });
      rows += count;
    }
    if (parts.length > 0) await this.#decoder.prefill(parts);
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
      const given = await this.#decoder.step(
        requests.map(({ sequence, generation: { step } }) => ({ sequence, ...step })),
        drafts,
      );
      requests.forEach((request, i) => {
        const step = request.generation.take(given[i]!);
        request.sequence.append(step.tokens);
        request.steps.push(step);
        if (step.finish) this.#leave(request).steps.close();
      });
    }
  }

  /** Sees to memory for a running request, preempting the youngest; false if that was itself. */
  #reserve(request: Running, positions: number): boolean {
    while (!this.#decoder.reserve(request.sequence, positions)) {
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
    this.#decoder.close(request.sequence);
    return request;
  }
}
