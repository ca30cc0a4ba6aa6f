import { untilAborted } from '../deadline.ts';
import { overlap } from './allocator.ts';
import { KindFigures } from './kind-figures.ts';
import { Lease } from './lease.ts';
import {
  acquire,
  closeQuietly,
  guardedCall,
  isToolFailure,
  type LocalParts,
} from './local-parts.ts';
import { TokenBucket } from './token-bucket.ts';
import type {
  Environment,
  EnvironmentKind,
  EnvironmentPool,
  LeaseOptions,
  Resources,
} from './types.ts';

/** An environment that is open, and gives its resources back. */
export interface Opened {
  environment: Environment;
  release: () => void;
}

/** What is kept ready for one key. */
interface WarmShelf<Spec> {
  spec: Spec;
  wanted: number;
  /** That wait for resources. */
  queued: number;
  opening: Promise<Opened>[];
  fresh: Opened[];
}

/** After all that is asked for. */
const LAST = -Infinity;

/** Environments of one kind, in this process. */
export class LocalPool<Spec> implements EnvironmentPool<Spec> {
  readonly figures = new KindFigures();
  readonly #kind: EnvironmentKind<Spec>;
  readonly #parts: LocalParts;
  readonly #bucket: TokenBucket | null;
  readonly #shelves = new Map<string, WarmShelf<Spec>>();
  readonly #leases = new Set<Lease>();

  constructor(kind: EnvironmentKind<Spec>, parts: LocalParts) {
    this.#kind = kind;
    this.#parts = parts;
    this.#bucket = kind.rate ? new TokenBucket(parts.clock, kind.rate) : null;
  }

  get warm(): number {
    return [...this.#shelves.values()].reduce((sum, { fresh }) => sum + fresh.length, 0);
  }

  async open(spec: Spec, options: LeaseOptions = {}): Promise<Environment> {
    options.signal?.throwIfAborted();
    this.#parts.closing.throwIfAborted();
    const opened = await (this.#takeWarm(spec, options) ?? this.#acquireAndOpen(spec, options));
    this.figures.opened++;
    this.figures.inUse++;
    const lease: Lease = new Lease(opened, {
      ...{ kind: this.#kind, clock: this.#parts.clock, figures: this.figures },
      waitForTurn: async (signal) => this.#bucket?.take(signal),
      reopen: (signal) => this.#openOne(spec, signal),
      closed: () => {
        this.#leases.delete(lease);
        this.figures.inUse--;
      },
    });
    this.#leases.add(lease);
    return lease;
  }

  keepWarm(spec: Spec, count: number): void {
    const key = this.#kind.key(spec);
    const shelf = this.#shelves.get(key) ?? newShelf(spec);
    shelf.wanted = count;
    if (count > 0) this.#shelves.set(key, shelf);
    else this.#shelves.delete(key);
    for (const opened of shelf.fresh.splice(count)) void this.#discard(opened);
    this.#fill(shelf);
  }

  /** Closes fresh ones if they hold some of these resources; they are opened again when there is room. */
  giveWay(needs: Resources): void {
    if (!overlap(this.#kind.needs, needs)) return;
    for (const shelf of this.#shelves.values()) {
      for (const opened of shelf.fresh.splice(0)) void this.#discard(opened);
      this.#fill(shelf);
    }
  }

  /** After the toolbox has said that it closes. */
  async close(): Promise<void> {
    const fresh = [...this.#shelves.values()].flatMap((shelf) => shelf.fresh.splice(0));
    await Promise.all([
      ...fresh.map((opened) => this.#discard(opened)),
      ...[...this.#leases].map((lease) => lease.close()),
    ]);
  }

  /** One that is open, or will be sooner than any that is begun now. */
  #takeWarm(spec: Spec, { signal }: LeaseOptions): Promise<Opened> | null {
    const shelf = this.#shelves.get(this.#kind.key(spec));
    const opened = shelf?.fresh.shift();
    const opening = opened ? Promise.resolve(opened) : shelf?.opening.shift();
    if (!shelf || !opening) return null;
    this.figures.openedWarm++;
    this.#fill(shelf);
    return untilAborted(opening, signal).catch((error) => {
      // If it opens after all, nobody wants it any more.
      if (signal?.aborted) opening.then((late) => this.#discard(late)).catch(() => {});
      throw error;
    });
  }

  /** Opens what is wanted and not there, as soon as there is room for it. */
  #fill(shelf: WarmShelf<Spec>): void {
    const { closing } = this.#parts;
    const missing = () =>
      shelf.wanted - shelf.fresh.length - shelf.opening.length - shelf.queued > 0;
    while (missing() && !closing.aborted) void this.#warmUp(shelf);
  }

  /** One that does not open is tried again when the next is taken; who asks for one will be told. */
  async #warmUp(shelf: WarmShelf<Spec>): Promise<void> {
    const { allocator, closing: signal } = this.#parts;
    const { needs } = this.#kind;
    shelf.queued++;
    const release = await allocator
      .acquire(needs, { priority: LAST, signal })
      .catch(() => null)
      .finally(() => shelf.queued--);
    if (!release) return;
    const opening = this.#openWith(release, shelf.spec, signal);
    shelf.opening.push(opening);
    const opened = await opening.catch(() => null);
    if (!shelf.opening.includes(opening)) return;
    shelf.opening = shelf.opening.filter((other) => other !== opening);
    if (!opened) return;
    const isWanted = shelf.fresh.length < shelf.wanted && !signal.aborted;
    if (isWanted && !allocator.isAwaited(needs, LAST)) {
      shelf.fresh.push(opened);
    } else {
      await this.#discard(opened);
      this.#fill(shelf);
    }
  }

  async #acquireAndOpen(spec: Spec, options: LeaseOptions): Promise<Opened> {
    const release = await acquire(this.#parts, this.figures, this.#kind.needs, options);
    return this.#openWith(release, spec, options.signal);
  }

  async #openWith(
    release: () => void,
    spec: Spec,
    signal: AbortSignal | undefined,
  ): Promise<Opened> {
    for (let tried = 0; ; tried++) {
      try {
        return { environment: await this.#openOne(spec, signal), release };
      } catch (error) {
        if (tried >= this.#kind.restarts || !isToolFailure(error)) {
          release();
          throw error;
        }
        this.figures.restarts++;
      }
    }
  }

  /** One that opens too late is closed again. */
  async #openOne(spec: Spec, signal: AbortSignal | undefined): Promise<Environment> {
    const { name, open, openTimeout } = this.#kind;
    let isLate = false;
    const call = {
      name: `opening ${name}`,
      timeout: openTimeout,
      work: async (signal: AbortSignal) => {
        const environment = await open(spec, signal);
        if (isLate) await environment.close().catch(() => {});
        return environment;
      },
    };
    try {
      return await guardedCall(call, this.#parts.clock, this.figures, signal);
    } catch (error) {
      isLate = true;
      throw error;
    }
  }

  async #discard({ environment, release }: Opened): Promise<void> {
    await closeQuietly(environment, this.#parts.clock, this.#kind.openTimeout);
    release();
  }
}

function newShelf<Spec>(spec: Spec): WarmShelf<Spec> {
  return { spec, wanted: 0, queued: 0, opening: [], fresh: [] };
}
