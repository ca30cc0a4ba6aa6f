import type { Device } from '../../tensor/device.ts';
import type { Kernels } from '../../tensor/kernels.ts';
import type { Storage } from '../../tensor/tensor.ts';
import type { WasmStorage } from './heaps.ts';
import { wasmKernels } from './kernels/index.ts';
import { assertSharedMemory, availableParallelism, loadBinary } from './platform.ts';
import { Runtime } from './runtime.ts';
import { compile, supportsRelaxedSimd } from './webassembly.ts';

export interface WasmDeviceOptions {
  /** Threads that compute, the calling one included; default: as many as the machine runs at once. */
  threads?: number;
  /** Whether to use fused multiply-adds; default: if the engine has them. */
  relaxed?: boolean;
  /** The largest memory to make, in bytes; default: as large as WebAssembly allows. */
  heapBytes?: number;
}

/**
 * The CPU, through WebAssembly: SIMD kernels on worker threads that share memory with this one. A
 * kernel call returns when its work is done.
 */
export async function createWasmDevice(options: WasmDeviceOptions = {}): Promise<Device> {
  const { threads = availableParallelism(), relaxed = supportsRelaxedSimd(), heapBytes } = options;
  assertSharedMemory();
  const file = relaxed ? 'relaxed.wasm' : 'simd.wasm';
  const module = await compile(await loadBinary(new URL(`./build/${file}`, import.meta.url)));
  return new WasmDevice(await Runtime.start(module, { threads, heapBytes }), relaxed);
}

class WasmDevice implements Device {
  readonly name = 'wasm';
  readonly description: string;
  readonly precision = 'f32';
  readonly queuesCalls = false;
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
