import { KindFigures } from './kind-figures.ts';
import { acquire, guardedCall, isToolFailure, type LocalParts } from './local-parts.ts';
import { TokenBucket } from './token-bucket.ts';
import type { LeaseOptions, Service, ServiceKind } from './types.ts';

/** Work without a state, in this process. */
export class LocalService<Input, Output> implements Service<Input, Output> {
  readonly figures = new KindFigures();
  readonly #kind: ServiceKind<Input, Output>;
  readonly #parts: LocalParts;
  readonly #bucket: TokenBucket | null;

  constructor(kind: ServiceKind<Input, Output>, parts: LocalParts) {
    this.#kind = kind;
    this.#parts = parts;
    this.#bucket = kind.rate ? new TokenBucket(parts.clock, kind.rate) : null;
  }

  async run(input: Input, options: LeaseOptions = {}): Promise<Output> {
    const { needs } = this.#kind;
    const release = await acquire(this.#parts, this.figures, needs, options);
    this.figures.inUse++;
    this.figures.opened++;
    try {
      return await this.#try(input, options.signal);
    } finally {
      this.figures.inUse--;
      release();
    }
  }

  async #try(input: Input, signal: AbortSignal | undefined): Promise<Output> {
    const { name, retries, timeout, run } = this.#kind;
    const { clock } = this.#parts;
    for (let tried = 0; ; tried++) {
      await this.#bucket?.take(signal);
      try {
        const call = { name, timeout, work: (signal: AbortSignal) => run(input, signal) };
        return await this.figures.timed(clock, () =>
          guardedCall(call, clock, this.figures, signal),
        );
      } catch (error) {
        if (tried >= retries || !isToolFailure(error)) throw error;
        this.figures.restarts++;
      }
    }
  }
}
