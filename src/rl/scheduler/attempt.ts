import type { Clock } from '../clock.ts';

export type AttemptOutcome<Result> =
  | { status: 'done'; value: Result }
  | { status: 'failed'; error: unknown }
  | { status: 'timed-out' };

/**
 * Work that may throw, hang, or pay no heed when it is told to stop: it has one outcome, and once that is
 * known nothing that it does is of interest any more.
 */
export class Attempt<Result> {
  readonly #clock: Clock;
  readonly #controller = new AbortController();
  #settle: ((outcome: AttemptOutcome<Result>) => void) | null;
  #cancelTimer: () => void;
  #wasStopped = false;

  /** @param settle called once, later; never after `abandon` */
  constructor(
    clock: Clock,
    timeout: number,
    work: (signal: AbortSignal) => Promise<Result>,
    settle: (outcome: AttemptOutcome<Result>) => void,
  ) {
    this.#clock = clock;
    this.#settle = settle;
    this.#cancelTimer = clock.after(timeout, () => this.#timeOut());
    const { signal } = this.#controller;
    // Begun in a later task of the queue, so that no work is done inside the caller's.
    Promise.resolve()
      .then(() => work(signal))
      .then(
        (value) => this.#finish({ status: 'done', value }),
        (error: unknown) => this.#finish({ status: 'failed', error }),
      );
  }

  /** Whether `stop` was called, and not the time up. */
  get wasStopped(): boolean {
    return this.#wasStopped;
  }

  /** Tells it to stop, and waits no longer than `grace` milliseconds for what it gives. */
  stop(grace: number): void {
    if (this.#wasStopped) return;
    this.#wasStopped = true;
    this.#cancelTimer();
    this.#cancelTimer = this.#clock.after(grace, () => this.#timeOut());
    this.#controller.abort(STOPPED);
  }

  /** Tells it to stop; whatever it gives is lost. */
  abandon(): void {
    this.#settle = null;
    this.#cancelTimer();
    this.#controller.abort(STOPPED);
  }

  #timeOut(): void {
    this.#controller.abort(STOPPED);
    this.#finish({ status: 'timed-out' });
  }

  #finish(outcome: AttemptOutcome<Result>): void {
    const settle = this.#settle;
    this.#settle = null;
    this.#cancelTimer();
    settle?.(outcome);
  }
}

/** Why a signal was aborted; work may throw it to say that it has nothing to give. */
export const STOPPED: Error = new DOMException('stopped by the scheduler', 'AbortError');
