import { usage } from './buffer-pool.ts';

/** Time that the GPU spent in one program, for one kind of work. */
export interface ProgramTime {
  /** The work that it was a part of, as the profiler was told. */
  work: string;
  /** The program's name. */
  kernel: string;
  /** Dispatches. */
  calls: number;
  seconds: number;
}

/** A dispatch that is timed. */
type Timed = Pick<ProgramTime, 'work' | 'kernel'>;

/**
 * Time by kernel, from timestamps that the GPU writes. It needs a pass for each dispatch, which costs
 * a little, so it is there only if asked for, and can be switched off.
 */
export class Profiler {
  active = true;
  /** What the dispatches that follow are a part of. */
  work = '';
  readonly #device: GPUDevice;
  readonly #capacity: number;
  readonly #times = new Map<string, ProgramTime>();
  readonly #pending = new Set<Promise<void>>();
  #queries: GPUQuerySet;
  #timed: Timed[] = [];

  /** `capacity`: the most dispatches in one submission. */
  constructor(device: GPUDevice, capacity: number) {
    this.#device = device;
    this.#capacity = capacity;
    this.#queries = device.createQuerySet({ type: 'timestamp', count: 2 * capacity });
  }

  /** What `beginComputePass` needs to time the next dispatch; nothing while not active. */
  begin(kernel: string): GPUComputePassDescriptor | undefined {
    if (!this.active) return undefined;
    const first = 2 * this.#timed.length;
    if (this.#timed.length === this.#capacity) throw new Error('the profiler is full');
    this.#timed.push({ work: this.work, kernel });
    return {
      timestampWrites: {
        querySet: this.#queries,
        beginningOfPassWriteIndex: first,
        endOfPassWriteIndex: first + 1,
      },
    };
  }

  /** Called before the commands are submitted; the result is called after it. */
  resolve(encoder: GPUCommandEncoder): () => void {
    const timed = this.#timed;
    this.#timed = [];
    if (timed.length === 0) return () => {};
    const size = 16 * timed.length;
    const device = this.#device;
    const resolved = device.createBuffer({ size, usage: usage.queryResolve | usage.copySource });
    const staging = device.createBuffer({ size, usage: usage.mapRead | usage.copyTarget });
    encoder.resolveQuerySet(this.#queries, 0, 2 * timed.length, resolved, 0);
    encoder.copyBufferToBuffer(resolved, 0, staging, 0, size);
    return () => {
      const done = staging.mapAsync(1).then(
        () => {
          this.#add(timed, new BigUint64Array(staging.getMappedRange()));
          staging.destroy();
          resolved.destroy();
        },
        () => {}, // The device is lost, which is reported elsewhere.
      );
      this.#pending.add(done);
      void done.finally(() => this.#pending.delete(done));
    };
  }

  /** Times since the last call, longest first. */
  async take(): Promise<ProgramTime[]> {
    await Promise.all(this.#pending);
    const list = [...this.#times.values()].sort((a, b) => b.seconds - a.seconds);
    this.#times.clear();
    return list;
  }

  #add(timed: Timed[], nanoseconds: BigUint64Array): void {
    timed.forEach(({ work, kernel }, index) => {
      const key = `${work}: ${kernel}`;
      const time = this.#times.get(key) ?? { work, kernel, calls: 0, seconds: 0 };
      time.calls++;
      time.seconds += Number(nanoseconds[2 * index + 1]! - nanoseconds[2 * index]!) / 1e9;
      this.#times.set(key, time);
    });
  }
}
