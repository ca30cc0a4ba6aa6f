import { UserError } from '../errors.ts';
import type { Model } from '../model/weights.ts';
import type { CachedSequence } from './cached-sequence.ts';
import { Decoder } from './decoder.ts';
import { draftGroups } from './draft-groups.ts';
import { DraftPolicy } from './draft-policy.ts';
import { type EngineMemory, type EngineOptions, limitsOf } from './engine-options.ts';
import { newRequest, type Running } from './engine-request.ts';
import { EngineSchedule } from './engine-schedule.ts';
import {
  Generation,
  type GenerationOptions,
  type TokenGenerator,
  type VersionedStep,
} from './generation.ts';
import { nextTask } from './next-task.ts';
import { PrefixCache } from './prefix-cache.ts';
import { chunkEnd } from './prompt-chunks.ts';
import type { QueuedStep } from './queued-step.ts';
import { SessionCache } from './session-cache.ts';
import type { StepAnswer } from './step-outputs.ts';
import type { PromptPart } from './step-request.ts';
import { WeightUpdates } from './weight-updates.ts';

/** A step and whose it is. */
interface EngineStep {
  queued: QueuedStep;
  requests: readonly Running[];
}

/**
 * Continuous batching (Yu et al. 2022, Orca): requests join and leave at every step, as `EngineSchedule`
 * says. Prompts pass the model in chunks between the steps, so that a long one does not hold up those that
 * are being answered.
 *
 * Without drafts and constraints, the next step needs nothing from the host but positions. While all
 * requests go on, it is therefore queued before the tokens of the one before are read, so that the device
 * need not wait for the host; what it computes for a request that has ended in the meantime is dropped.
 */
export class Engine implements TokenGenerator {
  readonly #decoder: Decoder;
  readonly #cache: PrefixCache;
  readonly #sessions: SessionCache;
  readonly #schedule: EngineSchedule;
  readonly #drafting: DraftPolicy;
  readonly #updates = new WeightUpdates();
  readonly #cacheTokens: number;
  readonly #prefillTokens: number;
  /** Queued before the one before it was read. */
  #ahead: EngineStep | null = null;
  /** When the last step ended, unless there was something else to do since. */
  #lastEnd: number | null = null;
  #work: Promise<void> | null = null;
  #isReleased = false;

  constructor(model: Model, options: EngineOptions = {}) {
    const { sequences, cacheTokens, sessions, ...limits } = limitsOf(model, options);
    this.#cacheTokens = cacheTokens;
    this.#prefillTokens = limits.prefillTokens;
    this.#drafting = new DraftPolicy(model.mtp.length);
    this.#decoder = new Decoder(model, {
      sequences,
      snapshots: sessions + limits.snapshots,
      cacheTokens,
      vocabSize: options.vocabSize,
      cacheType: options.cacheType,
    });
    this.#cache = new PrefixCache(this.#decoder.pool, model.mtp.length, limits);
    this.#sessions = new SessionCache(this.#cache, sessions);
    this.#schedule = new EngineSchedule(this.#sessions, sequences);
  }

  /** What the weights are called that tokens are drawn with now; 0 at first. */
  get weightVersion(): number {
    return this.#updates.version;
  }

  /** Most tokens of a prompt and its answer together. */
  get contextTokens(): number {
    const { config, mtp } = this.#decoder.model;
    // A step writes its drafts to the cache, right or wrong.
    return Math.min(config.maxPositions, this.#cacheTokens - mtp.length);
  }

  /** Requests being worked on, those that wait, and how often one had to give its memory back so far. */
  get load(): { running: number; waiting: number; preemptions: number } {
    return this.#schedule.load;
  }

  get memory(): EngineMemory {
    const { availablePages: freePages } = this.#sessions;
    const { cacheType, cacheBytes } = this.#decoder;
    return { freePages, keptPages: this.#cache.idlePages, cacheType, ...cacheBytes };
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
  ): AsyncGenerator<VersionedStep> {
    if (this.#isReleased) throw new UserError('the engine has been released: make a new one');
    const generation = new Generation(this.#decoder.model, prompt, options, this.#cacheTokens);
    generation.signal?.throwIfAborted();
    if (generation.isEmpty && !generation.report) return;
    const request = newRequest(prompt, generation, options);
    this.#schedule.add(request);
    this.#work ??= this.#run();
    try {
      yield* request.steps;
    } finally {
      request.isCancelled = true;
    }
  }

  /**
   * Runs `update`, which changes the model's weights in place, between two steps. Caches hold what the old
   * weights computed, so they are forgotten: requests that are being answered pass the new ones again before
   * they go on. So each token is drawn from one version's own distribution.
   *
   * @param version what steps call the new weights
   * @throws what `update` throws; steps then keep the old version
   */
  async updateWeights(version: number, update: () => void | Promise<void>): Promise<void> {
    if (this.#isReleased) throw new UserError('the engine has been released: make a new one');
    const applied = this.#updates.add(version, update);
    this.#work ??= this.#run();
    await applied;
  }

  /** Ends all requests and frees the memory of the caches. */
  async release(): Promise<void> {
    this.#isReleased = true;
    await this.#work;
    this.#decoder.release();
  }

  async #run(): Promise<void> {
    try {
      while (!this.#schedule.isEmpty || this.#ahead || !this.#updates.isEmpty) {
        if (this.#isReleased) throw new UserError('the engine was released while it was answering');
        this.#schedule.dropCancelled();
        await this.#finishAhead();
        await this.#updateWeights();
        this.#schedule.admit();
        const isReading = await this.#prefill();
        const isReplaying = await this.#replay();
        await this.#decode(isReading || isReplaying);
        await nextTask();
      }
    } catch (error) {
      // What failed is the device or the whole engine, not one request.
      this.#schedule.fail(error);
      this.#updates.fail(error);
      // Its memory is given back when the device is done with it.
      await this.#ahead?.queued.read().catch(() => {});
    } finally {
      this.#ahead = null;
      this.#lastEnd = null;
      this.#work = null;
    }
  }

  async #updateWeights(): Promise<void> {
    if (this.#updates.isEmpty) return;
    this.#schedule.restart();
    this.#lastEnd = null;
    await this.#updates.apply();
  }

  /** One chunk of each prompt, as many as may pass between two steps; → whether that may still go on. */
  async #prefill(): Promise<boolean> {
    const parts: (PromptPart & { sequence: CachedSequence })[] = [];
    let rows = 0;
    for (const { sequence, generation, promptTokens } of this.#schedule.running) {
      const end = chunkEnd(sequence, promptTokens);
      const count = end - sequence.length;
      if (count <= 0) continue;
      if (rows > 0 && rows + count > this.#prefillTokens) break;
      const snapshots = this.#cache.snapshots(sequence, end);
      parts.push({ sequence, end, report: generation.report, snapshots });
      rows += count;
    }
    if (parts.length === 0) return false;
    this.#lastEnd = null;
    await this.#decoder.prefill(parts);
    for (const { sequence } of parts) this.#cache.afterPrefill(sequence);
    return this.#decoder.model.device.queuesCalls;
  }

  /** A step of what was generated before its memory was given back; → whether that may still go on. */
  async #replay(): Promise<boolean> {
    const isReplaying = ({ sequence: { length, tokens }, promptTokens }: Running) =>
      length >= promptTokens - 1 && length < tokens.length - 1;
    const requests = this.#schedule.running.filter(isReplaying);
    if (requests.length === 0) return false;
    this.#lastEnd = null;
    for (const [drafts, group] of Map.groupBy(requests, ({ generation }) => generation.drafts)) {
      const sequences = group.map(({ sequence }) => sequence);
      await this.#decoder.replay(sequences, drafts);
      for (const sequence of sequences) this.#cache.afterStep(sequence);
    }
    return this.#decoder.model.device.queuesCalls;
  }

  /**
   * One step of all whose prompt has passed the model, those with the same number of drafts together.
   * `isBusy`: the device has something else to do first.
   */
  async #decode(isBusy: boolean): Promise<void> {
    // One that was queued ahead is of all requests.
    const groups = this.#ahead ? new Map([[0, this.#ahead.requests]]) : this.#nextGroups();
    for (const [drafts, requests] of groups) {
      const begin = this.#lastEnd ?? performance.now();
      const given = await this.#step(requests, drafts);
      this.#lastEnd = performance.now();
      this.#drafting.observe({
        drafts,
        seconds: isBusy ? null : (this.#lastEnd - begin) / 1000,
        accepted: given.map(({ tokens }) => tokens.length - 1),
      });
      this.#give(requests, given, drafts);
    }
  }

  /** Ends requests of nothing but a prompt, and sees to memory for a step of the others. */
  #nextGroups(): Map<number, readonly Running[]> {
    const isReady = ({ sequence }: Running) => sequence.length === sequence.tokens.length - 1;
    for (const request of this.#schedule.running.filter(isReady)) {
      const { generation, steps } = request;
      if (!generation.isEmpty) continue;
      steps.push({ ...generation.takeNothing(), weightVersion: this.weightVersion });
      this.#schedule.finish(request);
    }
    const mostDrafts = this.#decoder.model.mtp.length;
    for (const request of this.#schedule.running.filter(isReady)) {
      // Unless it has just been preempted itself.
      if (this.#schedule.running.includes(request)) {
        this.#schedule.reserve(request, request.sequence.length + mostDrafts + 1);
      }
    }
    return draftGroups(this.#schedule.running.filter(isReady), this.#drafting);
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
    const isNext = this.#schedule.isAll(requests) && !this.#schedule.canAdmit;
    if (isNext && this.#updates.isEmpty) return;
    const given = await queued.read();
    this.#ahead = null;
    this.#give(requests, given, 0);
  }

  /** Whether one more step without drafts of these, all that there are, comes after the next. */
  #allGoOn(requests: readonly Running[]): boolean {
    return (
      this.#schedule.isAll(requests) &&
      !this.#schedule.canAdmit &&
      this.#updates.isEmpty &&
      requests.every(({ generation }) => generation.goesOn) &&
      draftGroups(requests, this.#drafting).has(0) &&
      this.#schedule.reserveAhead(requests)
    );
  }

  /** Hands out what a step gave to those that are still there. */
  #give(requests: readonly Running[], given: readonly StepAnswer[], drafts: number): void {
    requests.forEach((request, i) => {
      if (!this.#schedule.running.includes(request)) return;
      const step = request.generation.take(given[i]!, drafts);
      request.sequence.append(step.tokens);
      this.#cache.afterStep(request.sequence);
      request.steps.push({ ...step, weightVersion: this.weightVersion });
      if (step.experts) request.routes.push(...step.experts);
      if (step.finish) this.#schedule.finish(request);
    });
  }
}
