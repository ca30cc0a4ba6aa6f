import { type PooledBuffer, usage } from './buffer-pool.ts';
import type { Commands } from './commands.ts';

/** Staging buffers up to this size are kept for the next read. */
const keptBytes = 2 ** 20;

/** Reading: a copy into a buffer that the host can map. */
export class Readback {
  readonly #device: GPUDevice;
  readonly #idle = new Map<number, GPUBuffer[]>();

  constructor(device: GPUDevice) {
    this.#device = device;
  }

  async read(
    commands: Commands,
    source: PooledBuffer,
    byteOffset: number,
    byteLength: number,
  ): Promise<Uint8Array> {
    if (byteLength === 0) return new Uint8Array(0);
    // Copies begin and end at whole words.
    const begin = byteOffset - (byteOffset % 4);
    const length = Math.ceil((byteOffset + byteLength - begin) / 4) * 4;
    const size = 2 ** Math.max(8, Math.ceil(Math.log2(length)));
    const staging = this.#take(size);
    commands.copy(source, begin, staging, 0, length);
    commands.flush();
    await staging.mapAsync(1, 0, length);
    const bytes = new Uint8Array(staging.getMappedRange(0, length)).slice(
      byteOffset - begin,
      byteOffset - begin + byteLength,
    );
    staging.unmap();
    this.#give(staging, size);
    return bytes;
  }

  #take(size: number): GPUBuffer {
    const idle = this.#idle.get(size)?.pop();
    return idle ?? this.#device.createBuffer({ size, usage: usage.mapRead | usage.copyTarget });
  }

  #give(staging: GPUBuffer, size: number): void {
    if (size > keptBytes) {
      staging.destroy();
      return;
    }
    const idle = this.#idle.get(size) ?? [];
    idle.push(staging);
    this.#idle.set(size, idle);
  }
}
