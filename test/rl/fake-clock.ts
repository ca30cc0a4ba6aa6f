import type { Clock } from '../../src/rl/clock.ts';

/** A clock that stands still while there is anything to do, and then jumps to the next timer. */
export class FakeClock implements Clock {
  #now = 0;
  #count = 0;
  #timers: { at: number; order: number; action: () => void }[] = [];

  now(): number {
    return this.#now;
  }

  after(milliseconds: number, action: () => void): () => void {
    const timer = { at: this.#now + milliseconds, order: this.#count++, action };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  sleep(milliseconds: number): Promise<void> {
    return new Promise((resolve) => this.after(milliseconds, resolve));
  }

  /** Timers that are set. */
  get pending(): number {
    return this.#timers.length;
  }

  /** Lets time pass until `promise` is settled. */
  async until<Result>(promise: Promise<Result>): Promise<Result> {
    let isSettled = false;
    const settle = () => {
      isSettled = true;
    };
    promise.then(settle, settle);
    for (;;) {
      await flush();
      if (isSettled) return promise;
      if (!this.#next()) throw new Error('nothing is left that could happen');
    }
  }

  /** Lets so much time pass. */
  async pass(milliseconds: number): Promise<void> {
    await flush();
    await this.until(this.sleep(milliseconds));
  }

  #next(): boolean {
    const [first] = this.#timers.sort((a, b) => a.at - b.at || a.order - b.order);
    if (!first) return false;
    this.#timers.shift();
    this.#now = first.at;
    first.action();
    return true;
  }
}

/** Ends when every promise has been followed that does not wait for time, files or other machines. */
function flush(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
