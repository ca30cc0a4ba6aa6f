import type { CacheType } from '../../tensor/cache-type.ts';
import type { Device } from '../../tensor/device.ts';
import type { Kernels } from '../../tensor/kernels.ts';
import type { QuantizedMatrix, QuantizedRows } from '../../tensor/quantized-matrix.ts';
import type { Storage } from '../../tensor/tensor.ts';
import type { WasmStorage } from './heaps.ts';
import { wasmKernels } from './kernels/index.ts';
import {
  assertSharedMemory,
  availableParallelism,
  canShareMemory,
  loadBinary,
} from './platform.ts';
import { arrangeTiles } from './quantized-layout.ts';
import { Runtime } from './runtime.ts';
import { byteOffsetOf, compile, supportsRelaxedSimd, type WasmModule } from './webassembly.ts';

export interface WasmDeviceOptions {
  /**
   * Threads that compute, the calling one included; default: as many as the machine runs at once, and
   * one where a browser lets no threads share memory.
   */
  threads?: number;
  /** Whether to use fused multiply-adds; default: if the engine has them. */
  relaxed?: boolean;
  /** The largest memory to make, in bytes; default: as large as WebAssembly allows. */
  heapBytes?: number;
  /** Where a bundler has put `worker.ts`; default: beside this file. */
  workerUrl?: URL;
}

/**
 * The CPU, through WebAssembly: SIMD kernels on worker threads that share memory with this one. A
 * kernel call returns when its work is done.
 */
export async function createWasmDevice(options: WasmDeviceOptions = {}): Promise<Device> {
  const { threads = canShareMemory() ? availableParallelism() : 1 } = options;
  const { relaxed = supportsRelaxedSimd(), heapBytes, workerUrl } = options;
  if (threads > 1) assertSharedMemory();
  const build = relaxed ? await relaxedBuild() : null;
  const { module, byteOffset } = build ?? { module: await load('simd.wasm'), byteOffset: 0 };
  const runtime = await Runtime.start(module, { threads, heapBytes, byteOffset, workerUrl });
  return new WasmDevice(runtime, build !== null);
}

/** The build with relaxed SIMD, if its dot products of bytes are exact on this machine. */
async function relaxedBuild(): Promise<{ module: WasmModule; byteOffset: number } | null> {
  const module = await load('relaxed.wasm');
  const byteOffset = byteOffsetOf(module);
  return byteOffset === null ? null : { module, byteOffset };
}

async function load(file: string): Promise<WasmModule> {
  return compile(await loadBinary(new URL(`./build/${file}`, import.meta.url)));
}

class WasmDevice implements Device {
  readonly name = 'wasm';
  readonly description: string;
  readonly precision = 'f32';
  readonly queuesCalls = false;
  readonly cacheTypes: readonly CacheType[] = ['f32', 'f16', 'i8'];
  readonly kernels: Kernels;
  readonly #runtime: Runtime;

  constructor(runtime: Runtime, relaxed: boolean) {
    this.#runtime = runtime;
    const threads = `${runtime.threads} thread${runtime.threads === 1 ? '' : 's'}`;
    this.description = `WebAssembly, ${relaxed ? 'relaxed ' : ''}SIMD, ${threads}`;
    this.kernels = releasingScratch(wasmKernels(runtime, this), runtime);
  }

  get allocatedBytes(): number {
    return this.#runtime.heaps.allocatedBytes;
  }

  allocate(byteLength: number): Storage {
    return this.#runtime.heaps.allocate(byteLength);
  }

  release(storage: Storage): void {
    this.#runtime.heaps.release(storage as WasmStorage);
  }

  write(storage: Storage, byteOffset: number, data: ArrayBufferView): void {
    const source = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    this.#bytes(storage, byteOffset, source.length).set(source);
  }

  writeQuantized(matrix: QuantizedMatrix, rows: QuantizedRows): void {
    const { bits, columns, words } = matrix;
    // Where bytes are signed, the offset of 128 is taken away by turning over the highest bit.
    const flip = bits === 8 && this.#runtime.byteOffset === 0 ? 0x80808080 | 0 : 0;
    arrangeTiles(rows, columns, bits, flip, this.#runtime.ints(words));
  }

  async read(storage: Storage, byteOffset: number, byteLength: number): Promise<Uint8Array> {
    // A copy in memory of its own: most of the platform takes no shared buffers.
    const bytes = new Uint8Array(byteLength);
    bytes.set(this.#bytes(storage, byteOffset, byteLength));
    return bytes;
  }

  async destroy(): Promise<void> {
    await this.#runtime.destroy();
  }

  #bytes(storage: Storage, byteOffset: number, byteLength: number): Uint8Array {
    const { heap, address, released } = storage as WasmStorage;
    if (released) throw new Error('the storage has been released');
    if (byteOffset < 0 || byteOffset + byteLength > storage.byteLength) {
      throw new Error(
        `bytes ${byteOffset} to ${byteOffset + byteLength} are outside a storage of ${storage.byteLength}`,
      );
    }
    const begin = address + byteOffset;
    return this.#runtime.heaps.heaps[heap]!.bytes.subarray(begin, begin + byteLength);
  }
}

/** The same kernels, each giving back at its end the scratch memory that it took. */
function releasingScratch(kernels: Kernels, runtime: Runtime): Kernels {
  const wrapped: Record<string, unknown> = {};
  for (const [name, kernel] of Object.entries(kernels) as [string, (a: never) => void][]) {
    wrapped[name] = (a: never) => {
      try {
        kernel(a);
      } finally {
        runtime.releaseScratch();
      }
    };
  }
  return wrapped as unknown as Kernels;
}
