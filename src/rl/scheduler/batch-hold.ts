import type { Clock } from '../clock.ts';

/** Holds a batch back for a while, and not longer. */
export class BatchHold {
  readonly #clock: Clock;
  readonly #longest: number;
  readonly #over: () => void;
  #cancel: (() => void) | null = null;
  #isOver = false;
  #since = 0;
  #held = 0;

  /**
   * @param longest in milliseconds
   * @param over called when that has passed
   */
  constructor(clock: Clock, longest: number, over: () => void) {
    this.#clock = clock;
    this.#longest = longest;
    this.#over = over;
  }

  /** For how long the last batch was held back, in milliseconds. */
  get held(): number {
    return this.#held;
  }

  /** Whether a batch is still to be held back; the time runs from the first call on. */
  holds(): boolean {
    if (this.#longest === 0) return false;
    if (!this.#cancel) {
      this.#since = this.#clock.now();
      this.#cancel = this.#clock.after(this.#longest, () => {
        this.#isOver = true;
        this.#over();
      });
    }
    return !this.#isOver;
  }

  /** For the next batch. */
  reset(): void {
    this.#held = this.#cancel ? this.#clock.now() - this.#since : 0;
    this.#cancel?.();
    this.#cancel = null;
    this.#isOver = false;
  }
}
