import { usage } from './buffer-pool.ts';

/** Time that the GPU spent in one kernel. */
export interface ProgramTime {
  kernel: string;
  calls: number;
  seconds: number;
}

/**
 * Time by kernel, from timestamps that the GPU writes. It needs a pass for each dispatch, which costs
 * a little, so it is there only if asked for.
 */
export class Profiler {
  readonly #device: GPUDevice;
  readonly #capacity: number;
  readonly #times = new Map<string, ProgramTime>();
  readonly #pending = new Set<Promise<void>>();
  #queries: GPUQuerySet;
  #names: string[] = [];

  /** `capacity`: the most dispatches in one submission. */
  constructor(device: GPUDevice, capacity: number) {
    this.#device = device;
    this.#capacity = capacity;
    this.#queries = device.createQuerySet({ type: 'timestamp', count: 2 * capacity });
  }

  /** What `beginComputePass` needs to time the next dispatch. */
  begin(name: string): GPUComputePassDescriptor {
    const first = 2 * this.#names.length;
    if (this.#names.length === this.#capacity) throw new Error('the profiler is full');
    this.#names.push(name);
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
    const names = this.#names;
    this.#names = [];
    if (names.length === 0) return () => {};
    const size = 16 * names.length;
    const device = this.#device;
    const resolved = device.createBuffer({ size, usage: usage.queryResolve | usage.copySource });
    const staging = device.createBuffer({ size, usage: usage.mapRead | usage.copyTarget });
    encoder.resolveQuerySet(this.#queries, 0, 2 * names.length, resolved, 0);
    encoder.copyBufferToBuffer(resolved, 0, staging, 0, size);
    return () => {
      const done = staging.mapAsync(1).then(
        () => {
          this.#add(names, new BigUint64Array(staging.getMappedRange()));
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

  #add(names: string[], nanoseconds: BigUint64Array): void {
    names.forEach((kernel, index) => {
      const time = this.#times.get(kernel) ?? { kernel, calls: 0, seconds: 0 };
      time.calls++;
      time.seconds += Number(nanoseconds[2 * index + 1]! - nanoseconds[2 * index]!) / 1e9;
      this.#times.set(kernel, time);
    });
  }
}
