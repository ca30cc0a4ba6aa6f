import type { Clock } from '../clock.ts';
import type { Rate } from './types.ts';

/** Limits how often something is done: a bucket of `burst` tokens that fills at `perSecond`. */
export class TokenBucket {
  readonly #clock: Clock;
  readonly #rate: Rate;
  #tokens: number;
  #filledAt: number;
  #waiting: (() => void)[] = [];
  #timer: (() => void) | null = null;

  constructor(clock: Clock, rate: Rate) {
    this.#clock = clock;
    this.#rate = rate;
    this.#tokens = rate.burst;
    this.#filledAt = clock.now();
  }

  /** Waits for its turn, first come, first served. */
  async take(signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    await new Promise<void>((resolve, reject) => {
      const grant = () => {
        signal?.removeEventListener('abort', leave);
        resolve();
      };
      const leave = () => {
        this.#waiting = this.#waiting.filter((other) => other !== grant);
        reject(signal!.reason);
      };
      signal?.addEventListener('abort', leave);
      this.#waiting.push(grant);
      this.#serve();
    });
  }

  #serve(): void {
    const { perSecond, burst } = this.#rate;
    const now = this.#clock.now();
    this.#tokens = Math.min(burst, this.#tokens + ((now - this.#filledAt) / 1000) * perSecond);
    this.#filledAt = now;
    // Rounding must not make a timer that is a hair too early come again and again.
    while (this.#waiting.length > 0 && this.#tokens >= 1 - 1e-6) {
      this.#tokens -= 1;
      this.#waiting.shift()!();
    }
    if (this.#waiting.length === 0 || this.#timer) return;
    this.#timer = this.#clock.after(((1 - this.#tokens) / perSecond) * 1000, () => {
      this.#timer = null;
      this.#serve();
    });
  }
}
