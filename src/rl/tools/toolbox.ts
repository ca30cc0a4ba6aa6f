import { type Clock, systemClock } from '../clock.ts';
import { Allocator } from './allocator.ts';
import type { LocalParts } from './local-parts.ts';
import { LocalPool } from './local-pool.ts';
import { LocalService } from './local-service.ts';
import type {
  EnvironmentKind,
  EnvironmentPool,
  Resources,
  Service,
  ServiceKind,
  Toolbox,
  ToolFigures,
} from './types.ts';

/** All tools of a run in this process, behind one allocator. */
export class LocalToolbox implements Toolbox {
  readonly #allocator: Allocator;
  readonly #parts: LocalParts;
  readonly #figures = new Map<string, () => ToolFigures>();
  readonly #closing = new AbortController();
  readonly #pools: Pick<LocalPool<never>, 'giveWay' | 'close'>[] = [];

  /** @param capacities how much there is of each resource */
  constructor(capacities: Resources, clock: Clock = systemClock) {
    this.#allocator = new Allocator(capacities);
    this.#parts = {
      allocator: this.#allocator,
      clock,
      closing: this.#closing.signal,
      makeRoom: (needs) => {
        for (const pool of this.#pools) pool.giveWay(needs);
      },
    };
  }

  /** @throws UserError if it needs more than there is */
  environments<Spec>(kind: EnvironmentKind<Spec>): EnvironmentPool<Spec> {
    this.#allocator.check(kind.name, kind.needs);
    const pool = new LocalPool(kind, this.#parts);
    this.#pools.push(pool);
    this.#add(kind.name, () => pool.figures.read(pool.warm));
    return pool;
  }

  /** @throws UserError if it needs more than there is */
  service<Input, Output>(kind: ServiceKind<Input, Output>): Service<Input, Output> {
    this.#allocator.check(kind.name, kind.needs);
    const service = new LocalService(kind, this.#parts);
    this.#add(kind.name, () => service.figures.read(0));
    return service;
  }

  figures(): ReturnType<Toolbox['figures']> {
    const kinds = [...this.#figures].map(([name, read]) => [name, read()]);
    return { kinds: Object.fromEntries(kinds), resources: this.#allocator.figures };
  }

  async close(): Promise<void> {
    this.#closing.abort(new Error('the toolbox is closed'));
    await Promise.all(this.#pools.map((pool) => pool.close()));
  }

  #add(name: string, read: () => ToolFigures): void {
    if (this.#figures.has(name)) throw new Error(`there are two kinds of tools named ${name}`);
    this.#figures.set(name, read);
  }
}
