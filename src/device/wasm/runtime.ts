import { type Storage, Tensor } from '../../tensor/tensor.ts';
import { Control, type Launch, maximumChunks } from './control.ts';
import { largestHeapBytes, roundToAlignment } from './heap.ts';
import { Heaps, type WasmStorage } from './heaps.ts';
import { addressesOf, Staging } from './staging.ts';
import {
  instantiate,
  type KernelFunction,
  kernelNames,
  type WasmMemory,
  type WasmModule,
} from './webassembly.ts';
import { WorkerPool } from './worker-pool.ts';

/** A tensor as a kernel's argument (its address), and what the kernel does with it. */
export interface Operand {
  readonly tensor: Tensor;
  readonly access: 'read' | 'write' | 'update' | 'workspace';
}

export type LaunchArgument = number | Operand;

/** The kernel only reads it. */
export const read = (tensor: Tensor): Operand => ({ tensor, access: 'read' });
/** The kernel writes every element. */
export const write = (tensor: Tensor): Operand => ({ tensor, access: 'write' });
/** The kernel reads it and writes it, or writes only parts of it. */
export const update = (tensor: Tensor): Operand => ({ tensor, access: 'update' });

/** Scratch memory of a call that is not allocated: enough for a few rows. */
const arenaBytes = 2 ** 18;

export interface RuntimeOptions {
  threads: number;
  heapBytes?: number | undefined;
  byteOffset?: number;
  /** Where the workers' program is, if not beside this one. */
  workerUrl?: URL | undefined;
}

/** Runs kernels on all threads, over memory that lies in several heaps. */
export class Runtime {
  readonly threads: number;
  readonly heaps: Heaps;
  /** See `byteOffsetOf`. */
  readonly byteOffset: number;
  readonly #module: WasmModule;
  readonly #kernelIndex: ReadonlyMap<string, number>;
  readonly #kernels: KernelFunction[][] = [];
  readonly #control: Control;
  readonly #pool: WorkerPool;
  readonly #scratch: WasmStorage[] = [];
  /** Where small scratch memory comes from: taking it is an addition. */
  #arena: WasmStorage | null = null;
  #arenaUsed = 0;

  private constructor(
    module: WasmModule,
    control: Control,
    pool: WorkerPool,
    heapBytes: number,
    byteOffset: number,
  ) {
    this.#module = module;
    this.byteOffset = byteOffset;
    this.#kernelIndex = new Map(kernelNames(module).map((name, index) => [name, index]));
    this.#control = control;
    this.#pool = pool;
    this.threads = pool.size + 1;
    this.heaps = new Heaps(heapBytes, (memory) => this.#openHeap(memory));
  }

  /** Starts the workers. `heapBytes` bounds each heap; tests make it small. */
  static async start(module: WasmModule, options: RuntimeOptions): Promise<Runtime> {
    const { threads, heapBytes = largestHeapBytes, byteOffset = 0, workerUrl } = options;
    const control = new Control();
    const pool = await WorkerPool.start(threads - 1, module, control, workerUrl);
    return new Runtime(module, control, pool, heapBytes, byteOffset);
  }

  /**
   * Runs the kernel on work items 0 to `items`, `grain` of them at a time, on as many threads as there
   * are, and returns when all are done. Tensors become addresses in one memory, the one with the
   * largest operand; operands from elsewhere are copied there and back.
   *
   * How items are cut into chunks depends on nothing but `items` and `grain`. A thread may run several
   * chunks, one after another, with the same `thread` (0 to threads − 1).
   */
  launch(kernel: string, args: readonly LaunchArgument[], items: number, grain: number): void {
    if (items <= 0) return;
    const index = this.#kernelIndex.get(kernel);
    if (index === undefined) throw new Error(`the wasm build has no kernel ${kernel}`);
    this.#pool.check();

    if (this.heaps.heaps.length === 1) {
      this.#run(index, 0, addressesOf(args), items, grain);
      return;
    }
    const staging = new Staging(this.heaps);
    const { heap, values } = staging.enter(args);
    try {
      this.#run(index, heap, values, items, grain);
      staging.copyBack();
    } finally {
      staging.leave();
    }
  }

  /** Memory for the rest of this call of a `Kernels` method, to pass to several launches. */
  scratch(byteLength: number): Operand {
    const size = roundToAlignment(byteLength);
    const shape = [Math.ceil(byteLength / 4)];
    if (this.#arenaUsed + size <= arenaBytes) {
      this.#arena ??= this.heaps.reserve(arenaBytes);
      const tensor = new Tensor(shape, 'f32', this.#arena, this.#arenaUsed);
      this.#arenaUsed += size;
      return update(tensor);
    }
    const storage = this.heaps.allocate(byteLength);
    this.#scratch.push(storage);
    return update(new Tensor(shape, 'f32', storage));
  }

  /** The same as a tensor of integers. */
  scratchIntegers(length: number): Tensor {
    const { storage, byteOffset } = this.scratch(4 * length).tensor;
    return new Tensor([length], 'i32', storage, byteOffset);
  }

  /**
   * Memory as by `scratch`, for what need not outlive a launch: if heaps differ, its contents are not copied.
   */
  workspace(byteLength: number): Operand {
    return { tensor: this.scratch(byteLength).tensor, access: 'workspace' };
  }

  /** Whether a launch would find all of them in one heap. */
  areTogether(...operands: readonly { storage: Storage }[]): boolean {
    if (this.heaps.heaps.length === 1) return true;
    const [first, ...others] = operands.map(({ storage }) => (storage as WasmStorage).heap);
    return others.every((heap) => heap === first);
  }

  /** The elements of an i32 tensor, not a copy: good until the next allocation. */
  ints(tensor: Tensor): Int32Array {
    const { heap, first } = this.#placeOf(tensor);
    return this.heaps.heaps[heap]!.ints.subarray(first, first + tensor.size);
  }

  /** The same for f32. */
  floats(tensor: Tensor): Float32Array {
    const { heap, first } = this.#placeOf(tensor);
    return this.heaps.heaps[heap]!.floats.subarray(first, first + tensor.size);
  }

  /** Called after every `Kernels` method. */
  releaseScratch(): void {
    this.#arenaUsed = 0;
    if (this.#scratch.length === 0) return;
    for (const storage of this.#scratch) this.heaps.release(storage);
    this.#scratch.length = 0;
  }

  async destroy(): Promise<void> {
    await this.#pool.destroy();
    this.#kernels.length = 0;
    this.heaps.clear();
  }

  #placeOf({ storage, byteOffset }: Tensor): { heap: number; first: number } {
    const { heap, address } = storage as WasmStorage;
    return { heap, first: (address + byteOffset) / 4 };
  }

  #run(kernel: number, heap: number, values: number[], items: number, grain: number): void {
    const step = Math.max(1, Math.floor(grain), Math.ceil(items / maximumChunks));
    const chunks = Math.ceil(items / step);
    if (chunks > 1 && this.threads > 1) {
      this.#fork({ kernel, heap, arguments: values, items, grain: step, chunks });
      return;
    }
    const run = this.#kernels[heap]![kernel]!;
    const count = values.length;
    values.push(0, 0, 0);
    for (let begin = 0; begin < items; begin += step) {
      values[count] = begin;
      values[count + 1] = Math.min(begin + step, items);
      run(...values);
    }
  }

  #fork(launch: Launch): void {
    this.#control.publish(launch);
    try {
      this.#control.work(0, (heap) => this.#kernels[heap]);
    } finally {
      this.#control.join(launch);
    }
    this.#pool.check();
  }

  #openHeap(memory: WasmMemory): void {
    this.#kernels.push(instantiate(this.#module, memory));
    this.#pool.post({ type: 'heap', memory });
  }
}
