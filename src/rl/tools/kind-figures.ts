import type { Clock } from '../clock.ts';
import type { ToolFigures } from './types.ts';

/** Calls whose latency is remembered. */
const RECENT = 256;

/** What is counted of one kind of tool. */
export class KindFigures {
  inUse = 0;
  waiting = 0;
  opened = 0;
  openedWarm = 0;
  calls = 0;
  timeouts = 0;
  failures = 0;
  restarts = 0;
  readonly #latencies: number[] = [];

  /** A call, of which the time is kept whatever comes of it. */
  async timed<Result>(clock: Clock, call: () => Promise<Result>): Promise<Result> {
    const begin = clock.now();
    try {
      return await call();
    } finally {
      this.#latencies[this.calls++ % RECENT] = clock.now() - begin;
    }
  }

  /** @param warm environments that nobody has asked for yet */
  read(warm: number): ToolFigures {
    const { inUse, waiting, opened, openedWarm, calls, timeouts, failures, restarts } = this;
    const sorted = [...this.#latencies].sort((a, b) => a - b);
    const quantile = (share: number) =>
      sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0;
    return {
      ...{ inUse, waiting, warm, opened, openedWarm, calls, timeouts, failures, restarts },
      latency: { median: quantile(0.5), percentile95: quantile(0.95) },
    };
  }
}
