import type { Call } from '../../tasks/index.ts';
import type { Clock } from '../clock.ts';
import type { KindFigures } from './kind-figures.ts';
import { closeQuietly, guardedCall, isToolFailure } from './local-parts.ts';
import type { Opened } from './local-pool.ts';
import type { Environment, EnvironmentKind } from './types.ts';

export interface LeaseParts {
  kind: Pick<
    EnvironmentKind<never>,
    'name' | 'callTimeout' | 'openTimeout' | 'restarts' | 'replays'
  >;
  clock: Clock;
  figures: KindFigures;
  waitForTurn(signal: AbortSignal | undefined): Promise<void>;
  /** Another environment for the same resources. */
  reopen(signal: AbortSignal | undefined): Promise<Environment>;
  closed(): void;
}

/**
 * An environment as its user sees it. One that fails is replaced by a fresh one, in which the calls so far
 * are made again; where that does not lead to the same state, the sequence has failed.
 */
export class Lease implements Environment {
  readonly #parts: LeaseParts;
  readonly #release: () => void;
  readonly #calls: Call[] = [];
  #environment: Environment;
  /** The last one that was closed. */
  #closed: Environment | null = null;
  #restarts = 0;
  #failure: unknown = null;
  #isClosed = false;

  constructor({ environment, release }: Opened, parts: LeaseParts) {
    this.#environment = environment;
    this.#release = release;
    this.#parts = parts;
  }

  get finished(): boolean {
    return this.#environment.finished;
  }

  async call(call: Call, signal?: AbortSignal): Promise<string> {
    if (this.#isClosed) throw new Error('a call in an environment that was closed');
    if (this.#failure) throw this.#failure;
    await this.#parts.waitForTurn(signal);
    for (;;) {
      try {
        const output = await this.#callOnce(call, signal);
        this.#calls.push(call);
        return output;
      } catch (error) {
        await this.#restart(error, signal);
      }
    }
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await this.#closeEnvironment();
    this.#release();
    this.#parts.closed();
  }

  async #callOnce(call: Call, signal: AbortSignal | undefined): Promise<string> {
    const { kind, clock, figures } = this.#parts;
    const guarded = {
      name: kind.name,
      timeout: kind.callTimeout,
      work: async (signal: AbortSignal) => {
        const output: unknown = await this.#environment.call(call, signal);
        if (typeof output === 'string') return output;
        throw new Error(`it gave ${typeof output} where text was expected`);
      },
    };
    return figures.timed(clock, () => guardedCall(guarded, clock, figures, signal));
  }

  /** @throws the error if a fresh environment would not do */
  async #restart(error: unknown, signal: AbortSignal | undefined): Promise<void> {
    const { kind, figures, reopen } = this.#parts;
    if (!isToolFailure(error)) throw error;
    const canReplay = kind.replays || this.#calls.length === 0;
    if (this.#restarts >= kind.restarts || !canReplay) {
      this.#failure = error;
      throw error;
    }
    this.#restarts++;
    figures.restarts++;
    await this.#closeEnvironment();
    try {
      this.#environment = await reopen(signal);
      if (this.#isClosed) {
        await this.#closeEnvironment();
        throw new Error('an environment that was closed during a call');
      }
      for (const call of this.#calls) await this.#callOnce(call, signal);
    } catch (again) {
      await this.#restart(again, signal);
    }
  }

  async #closeEnvironment(): Promise<void> {
    const { clock, kind } = this.#parts;
    if (this.#closed === this.#environment) return;
    this.#closed = this.#environment;
    await closeQuietly(this.#environment, clock, kind.openTimeout);
  }
}
