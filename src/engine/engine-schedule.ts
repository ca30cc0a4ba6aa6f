import { UserError } from '../errors.ts';
import type { Request, Running } from './engine-request.ts';
import type { SessionCache } from './session-cache.ts';

/**
 * Which requests are in the batch, and which wait. First come, first served. When the pages of the caches
 * run out, the youngest request gives its own back and waits in front of the queue; later it is computed
 * again from its tokens, to the same numbers. The oldest can always go on, for a request that would not fit
 * alone is refused.
 */
export class EngineSchedule {
  readonly #sessions: SessionCache;
  readonly #sequences: number;
  #waiting: Request[] = [];
  /** Oldest first. */
  #running: Running[] = [];
  #preemptions = 0;

  /** `sequences`: most requests in the batch. */
  constructor(sessions: SessionCache, sequences: number) {
    this.#sessions = sessions;
    this.#sequences = sequences;
  }

  /** Oldest first. */
  get running(): readonly Running[] {
    return this.#running;
  }

  /** Requests of the batch, those that wait, and how often one had to give its memory back so far. */
  get load(): { running: number; waiting: number; preemptions: number } {
    const { length: running } = this.#running;
    return { running, waiting: this.#waiting.length, preemptions: this.#preemptions };
  }

  get isEmpty(): boolean {
    return this.#waiting.length + this.#running.length === 0;
  }

  /** Whether a request waits that may join if there is memory for it. */
  get canAdmit(): boolean {
    return this.#waiting.length > 0 && this.#running.length < this.#sequences;
  }

  add(request: Request): void {
    this.#waiting.push(request);
  }

  dropCancelled(): void {
    const isDropped = ({ generation: { signal }, isCancelled, steps }: Request): boolean => {
      if (signal?.aborted) steps.fail(signal.reason);
      return isCancelled || signal?.aborted === true;
    };
    for (const request of this.#running.filter(isDropped)) this.#leave(request);
    this.#waiting = this.#waiting.filter((request) => !isDropped(request));
  }

  /** Lets requests join while there is memory for their tokens, and for a page more of each. */
  admit(): void {
    while (this.canAdmit) {
      const request = this.#waiting[0]!;
      const spare = this.#running.length === 0 ? 0 : this.#running.length + 1;
      const sequence = this.#sessions.open(request, spare);
      if (!sequence) return;
      // One that was preempted finds its own pages.
      request.generation.cachedTokens ??= sequence.length;
      const running = Object.assign(request, { sequence });
      this.#running.push(running);
      this.#waiting.shift();
      if (!this.reserve(running, request.tokens.length)) return;
    }
  }

  /** Sees to memory for a request of the batch, preempting the youngest; false if that was itself. */
  reserve(request: Running, positions: number): boolean {
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

  /** Sees to memory for a step after the next, which may turn out to be in vain: nobody is preempted. */
  reserveAhead(requests: readonly Running[]): boolean {
    if (this.#sessions.availablePages < requests.length) return false;
    return requests.every(({ sequence }) => this.#sessions.reserve(sequence, sequence.length + 2));
  }

  /** Whether these are all of the batch. */
  isAll(requests: readonly Running[]): boolean {
    return (
      requests.length === this.#running.length &&
      requests.every((request, i) => request === this.#running[i])
    );
  }

  /** Ends a request that has all that it asked for. */
  finish(request: Running): void {
    this.#leave(request, true);
    request.steps.close();
  }

  /**
   * Sends the whole batch back to the front of the queue, and forgets all that caches hold. What was
   * generated is read as a prompt is, which is faster, for with new weights nothing comes again as it was.
   */
  restart(): void {
    const running = this.#running;
    for (const request of [...running, ...this.#waiting]) {
      request.promptTokens = request.tokens.length;
    }
    for (const request of running) this.#leave(request);
    this.#waiting.unshift(...running);
    this.#sessions.clear();
  }

  /** Ends all requests with an error. */
  fail(error: unknown): void {
    for (const request of this.#waiting.splice(0)) request.steps.fail(error);
    for (const request of this.#running) {
      this.#leave(request);
      request.steps.fail(error);
    }
  }

  #leave(request: Running, isDone = false): void {
    this.#running = this.#running.filter((other) => other !== request);
    this.#sessions.close(request, isDone);
  }
}
