import { UserError } from '../../errors.ts';
import type { LeaseOptions, Resources } from './types.ts';

interface Waiter {
  needs: Resources;
  priority: number;
  grant: () => void;
}

/**
 * Gives out amounts of named resources: the highest priority first, then first come, first served. One
 * that asks for much is not passed by others that ask for the same resources.
 */
export class Allocator {
  readonly #capacities: ReadonlyMap<string, number>;
  readonly #inUse = new Map<string, number>();
  #waiting: Waiter[] = [];

  constructor(capacities: Resources) {
    this.#capacities = new Map(Object.entries(capacities));
  }

  get figures(): Record<string, { capacity: number; inUse: number }> {
    const entries = [...this.#capacities].map(([name, capacity]) => {
      return [name, { capacity, inUse: this.#used(name) }];
    });
    return Object.fromEntries(entries);
  }

  /** @throws UserError if there is no such resource, or not so much of it */
  check(kind: string, needs: Resources): void {
    for (const [name, amount] of Object.entries(needs)) {
      const capacity = this.#capacities.get(name);
      if (capacity !== undefined && amount <= capacity) continue;
      throw new UserError(
        `${kind} needs ${amount} of "${name}", of which there is ${capacity ?? 'none'}; give the toolbox more`,
      );
    }
  }

  /** Whether one of this priority would be served at once. */
  isFree(needs: Resources, priority = 0): boolean {
    const comesBefore = (waiter: Waiter) =>
      waiter.priority >= priority && overlap(waiter.needs, needs);
    return this.#fits(needs) && !this.#waiting.some(comesBefore);
  }

  /** Whether somebody waits for some of these, of a higher priority than this. */
  isAwaited(needs: Resources, priority: number): boolean {
    return this.#waiting.some(
      (waiter) => waiter.priority > priority && overlap(waiter.needs, needs),
    );
  }

  /** @returns gives it back; more calls than one change nothing */
  async acquire(
    needs: Resources,
    { signal, priority = 0 }: LeaseOptions = {},
  ): Promise<() => void> {
    signal?.throwIfAborted();
    await new Promise<void>((resolve, reject) => {
      const waiter: Waiter = {
        needs,
        priority,
        grant: () => {
          signal?.removeEventListener('abort', leave);
          resolve();
        },
      };
      const leave = () => {
        this.#waiting = this.#waiting.filter((other) => other !== waiter);
        reject(signal!.reason);
        this.#serve();
      };
      signal?.addEventListener('abort', leave);
      const after = this.#waiting.findIndex((other) => other.priority < priority);
      this.#waiting.splice(after < 0 ? this.#waiting.length : after, 0, waiter);
      this.#serve();
    });
    let isReleased = false;
    return () => {
      if (isReleased) return;
      isReleased = true;
      this.#take(needs, -1);
      this.#serve();
    };
  }

  #serve(): void {
    const passed: Waiter[] = [];
    for (const waiter of this.#waiting) {
      const isPassed = passed.some(({ needs }) => overlap(needs, waiter.needs));
      if (isPassed || !this.#fits(waiter.needs)) {
        passed.push(waiter);
        continue;
      }
      this.#take(waiter.needs, 1);
      waiter.grant();
    }
    this.#waiting = passed;
  }

  #fits(needs: Resources): boolean {
    return Object.entries(needs).every(
      ([name, amount]) => this.#used(name) + amount <= this.#capacities.get(name)!,
    );
  }

  #take(needs: Resources, sign: number): void {
    for (const [name, amount] of Object.entries(needs)) {
      this.#inUse.set(name, this.#used(name) + sign * amount);
    }
  }

  #used(name: string): number {
    return this.#inUse.get(name) ?? 0;
  }
}

export function overlap(a: Resources, b: Resources): boolean {
  return Object.keys(a).some((name) => name in b);
}
