/**
 * Where the time of some work goes, by kernel: seconds by the device's own clock where it has one, and
 * how much of that the roofline asks for.
 */
import { WebgpuDevice } from '../device/webgpu/device.ts';
import type { Device } from '../tensor/device.ts';
import type { Kernels } from '../tensor/kernels.ts';
import type { Storage } from '../tensor/tensor.ts';
import { kernelWork } from './kernel-work.ts';
import { leastSeconds, type Roofline } from './roofline.ts';
import type { KnownIntegers, Work } from './work.ts';

export interface KernelTime {
  /** Name in the contract, with the kind of those that come in kinds. */
  kernel: string;
  calls: number;
  seconds: number;
  /** What the calls had to do; null where the host does not know. */
  work: {
    operations: number;
    bytes: number;
    /** The least time by the roofline, over `seconds`. */
    rooflineShare: number;
    /** Which of the two that least time is made of, for the most part. */
    bound: 'memory' | 'arithmetic';
  } | null;
  /** The device's programs that did it, and their time; none for a device without programs. */
  programs: { program: string; dispatches: number; seconds: number }[];
}

/** What was counted of a kernel's calls. */
interface Count {
  calls: number;
  /** Seconds on the host's clock. */
  hostSeconds: number;
  known: boolean;
  operations: number;
  bytes: number;
  least: { arithmetic: number; memory: number; all: number };
}

export class KernelProfile {
  /** The device to run the work on. */
  readonly device: Device;
  readonly #gpu: WebgpuDevice | null;
  readonly #roofline: Roofline;
  readonly #integers = new WeakMap<Storage, Int32Array>();
  /** Null while nothing is measured. */
  #counts: Map<string, Count> | null = null;

  /** A webgpu device must have been made with `profile`; it then times nothing outside of `measure`. */
  constructor(device: Device, roofline: Roofline) {
    this.#gpu = device instanceof WebgpuDevice ? device : null;
    this.#roofline = roofline;
    if (this.#gpu) this.#gpu.profiling = false;
    this.device = this.#watch(device);
  }

  /** The kernels that `work` runs on `device`, those that take longest first. */
  async measure(work: () => Promise<unknown>): Promise<KernelTime[]> {
    const counts = new Map<string, Count>();
    this.#counts = counts;
    if (this.#gpu) this.#gpu.profiling = true;
    try {
      await work();
      const programs = (await this.#gpu?.takeTimes()) ?? [];
      const times = [...counts].map(([kernel, count]): KernelTime => {
        const own = programs.filter((each) => each.work === kernel);
        const seconds = this.#gpu
          ? own.reduce((sum, each) => sum + each.seconds, 0)
          : count.hostSeconds;
        const { calls, known, operations, bytes, least } = count;
        const bound = least.memory > least.arithmetic ? 'memory' : 'arithmetic';
        return {
          kernel,
          calls,
          seconds,
          work: known ? { operations, bytes, rooflineShare: least.all / seconds, bound } : null,
          programs: own.map(({ kernel: program, calls: dispatches, seconds }) => ({
            program,
            dispatches,
            seconds,
          })),
        };
      });
      return times.sort((a, b) => b.seconds - a.seconds);
    } finally {
      this.#counts = null;
      if (this.#gpu) this.#gpu.profiling = false;
    }
  }

  /** The device itself, but that it counts its kernels' calls; its methods keep their own `this`. */
  #watch(device: Device): Device {
    const kernels = this.#counted(device.kernels);
    const write: Device['write'] = (storage, byteOffset, data) => {
      device.write(storage, byteOffset, data);
      // What the work of a call depends on is written by the host, whole.
      if (byteOffset === 0 && data instanceof Int32Array) this.#integers.set(storage, data.slice());
      else this.#integers.delete(storage);
    };
    return new Proxy(device, {
      get(target, name) {
        if (name === 'kernels') return kernels;
        if (name === 'write') return write;
        const value = Reflect.get(target, name, target);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
  }

  #counted(kernels: Kernels): Kernels {
    const known: KnownIntegers = ({ storage, byteOffset, size }) =>
      this.#integers.get(storage)?.subarray(byteOffset / 4, byteOffset / 4 + size) ?? null;
    const counted = Object.entries(kernels).map(([name, run]: [string, (a: never) => void]) => [
      name,
      (call: never) => {
        if (!this.#counts) return run(call);
        const work = kernelWork[name as keyof Kernels](call, known);
        const kernel = work?.kind ? `${name} ${work.kind}` : name;
        if (this.#gpu) this.#gpu.timedWork = kernel;
        const begin = performance.now();
        run(call);
        this.#count(kernel, work, (performance.now() - begin) / 1e3);
      },
    ]);
    return Object.fromEntries(counted) as Kernels;
  }

  #count(kernel: string, work: Work | null, seconds: number): void {
    const count = this.#counts!.get(kernel) ?? {
      ...{ calls: 0, hostSeconds: 0, known: true, operations: 0, bytes: 0 },
      least: { arithmetic: 0, memory: 0, all: 0 },
    };
    this.#counts!.set(kernel, count);
    count.calls++;
    count.hostSeconds += seconds;
    if (!work) {
      count.known = false;
      return;
    }
    const least = leastSeconds(work, this.#roofline);
    count.operations += work.operations;
    count.bytes += work.bytes;
    count.least.arithmetic += least.arithmetic;
    count.least.memory += least.memory;
    count.least.all += Math.max(least.arithmetic, least.memory);
  }
}
