import { type PooledBuffer, usage } from './buffer-pool.ts';
import type { Commands } from './commands.ts';

/** Staging buffers up to this size are kept for the next read. */
const keptBytes = 2 ** 20;

/** What is larger is read in pieces: a mapping needs memory of the host that lies together. */
const pieceBytes = 256 * 2 ** 20;

/** Reading: a copy into a buffer that the host can map. */
export class Readback {
  readonly #device: GPUDevice;
  readonly #mostBytes: number;
  readonly #idle = new Map<number, GPUBuffer[]>();
  #awaited = 0;

  /** `mostBytes`: the largest buffer to make. */
  constructor(device: GPUDevice, mostBytes: number) {
    this.#device = device;
    this.#mostBytes = Math.min(pieceBytes, mostBytes);
  }

  /** Whether the GPU has not come to the end of all reads, as far as the host has seen. */
  get isAwaited(): boolean {
    return this.#awaited > 0;
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
    const end = Math.ceil((byteOffset + byteLength) / 4) * 4;
    // All are queued before anything is waited for: what is called later must not be seen.
    const pieces: { at: number; length: number; size: number; staging: GPUBuffer }[] = [];
    for (let at = begin; at < end; at += this.#mostBytes) {
      const length = Math.min(this.#mostBytes, end - at);
      const size = Math.min(2 ** Math.max(8, Math.ceil(Math.log2(length))), this.#mostBytes);
      const staging = this.#take(size);
      commands.copy(source, at, staging, 0, length);
      pieces.push({ at, length, size, staging });
    }
    commands.flush();
    const bytes = new Uint8Array(end - begin);
    this.#awaited++;
    try {
      for (const { at, length, size, staging } of pieces) {
        await staging.mapAsync(1, 0, length);
        bytes.set(new Uint8Array(staging.getMappedRange(0, length)), at - begin);
        staging.unmap();
        this.#give(staging, size);
      }
    } finally {
      this.#awaited--;
    }
    const skipped = byteOffset - begin;
    if (skipped === 0 && byteLength === bytes.length) return bytes;
    return bytes.slice(skipped, skipped + byteLength);
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
