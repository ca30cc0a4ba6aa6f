import { sizeClass } from '../../tensor/size-class.ts';
import { type Failures, outOfMemory, tooLarge } from './failures.ts';

/** Numbers of WebGPU's buffer usages; Node has no global `GPUBufferUsage`. */
export const usage = {
  mapRead: 0x1,
  copySource: 0x4,
  copyTarget: 0x8,
  uniform: 0x40,
  storage: 0x80,
  queryResolve: 0x200,
};

/** A buffer of the pool. */
export interface PooledBuffer {
  readonly gpu: GPUBuffer;
  /** Never given to another buffer. */
  readonly id: number;
  /** Of its size class. */
  readonly byteLength: number;
  /** The last batch of commands that uses it. */
  batch: number;
}

/**
 * How much more memory the pool may hold than has been in use at once, so that buffers of one size can
 * stay while others are used. What is idle at one moment says little: a forward pass without a tape gives
 * back most of its memory after each layer, and wants it again in the next.
 */
const slack = 1.25;
/**
 * Where there is none of its class, a buffer that is up to so much larger is given instead of a new one:
 * batches of changing size would otherwise each ask for memory of their own, gigabytes a step.
 */
const spare = 1.5;
/** All buffers have a multiple of so many bytes. */
const unit = 256;
/** Smaller ones are made anew: the same step is to find the same buffers, and it has many of them. */
const sharedBytes = 2 ** 20;
/** Memory that may always be held. */
const keptBytes = 256 * 2 ** 20;

/**
 * Buffers by size class. A buffer that is given back can be given out at once: commands run in the
 * order in which they are made, so its old contents are done with before new ones are written. A step
 * of training therefore settles on one set of buffers. Of those that are idle the oldest is given out,
 * in whatever order they came back: so a step finds the buffers, and with them the bind groups, that it had
 * when it last had these sizes, though others came in between.
 */
export class BufferPool {
  readonly #device: GPUDevice;
  readonly #failures: Failures;
  /** The oldest last. */
  readonly #idle = new Map<number, PooledBuffer[]>();
  /** Bytes of a buffer. */
  readonly #largest: number;
  #nextId = 0;
  #idleBytes = 0;
  #usedBytes = 0;
  /** The most that was in use at once. */
  #peakBytes = 0;

  constructor(device: GPUDevice, failures: Failures) {
    this.#device = device;
    this.#failures = failures;
    this.#largest = device.limits.maxBufferSize;
  }

  /**
   * `flush` is called before buffers are destroyed that a waiting command may use.
   *
   * @throws OutOfMemoryError if one buffer cannot be so large
   */
  take(byteLength: number, flush: () => void): PooledBuffer {
    const limit = this.#largest;
    if (byteLength > limit) throw tooLarge(byteLength, limit);
    const size = Math.min(sizeClass(byteLength, unit), limit);
    const idle = this.#takeIdle(size);
    if (idle) this.#idleBytes -= idle.byteLength;
    this.#usedBytes += idle?.byteLength ?? size;
    this.#peakBytes = Math.max(this.#peakBytes, this.#usedBytes);
    if (idle) return idle;
    this.#trim(keptBytes + slack * this.#peakBytes - this.#usedBytes, flush);
    return this.#create(size, byteLength);
  }

  give(buffer: PooledBuffer): void {
    const size = buffer.byteLength;
    const idle = this.#idle.get(size) ?? [];
    this.#idle.set(size, idle);
    // As a rule it was the last to be given out, and its place is the end.
    let at = idle.length;
    while (at > 0 && idle[at - 1]!.id < buffer.id) at--;
    idle.splice(at, 0, buffer);
    this.#idleBytes += size;
    this.#usedBytes -= size;
  }

  /** The smallest that will do. */
  #takeIdle(size: number): PooledBuffer | undefined {
    const found = this.#idle.get(size)?.pop();
    if (found || size < sharedBytes) return found;
    for (
      let larger = sizeClass(size + 1, unit);
      larger <= spare * size;
      larger = sizeClass(larger + 1, unit)
    ) {
      const idle = this.#idle.get(larger)?.pop();
      if (idle) return idle;
    }
    return undefined;
  }

  /** Gives idle memory beyond `most` bytes back to the system, what was used longest ago first. */
  #trim(most: number, flush: () => void): void {
    if (this.#idleBytes <= most) return;
    flush();
    const oldestFirst = [...this.#idle.values()].flat().sort((a, b) => a.batch - b.batch);
    for (const buffer of oldestFirst) {
      if (this.#idleBytes <= most) break;
      const idle = this.#idle.get(buffer.byteLength)!;
      idle.splice(idle.indexOf(buffer), 1);
      this.#idleBytes -= buffer.byteLength;
      buffer.gpu.destroy();
    }
  }

  #create(size: number, wanted: number): PooledBuffer {
    this.#device.pushErrorScope('out-of-memory');
    const gpu = this.#device.createBuffer({
      size,
      usage: usage.storage | usage.copySource | usage.copyTarget,
    });
    const used = this.#usedBytes - size;
    this.#failures.watch(this.#device.popErrorScope(), () => outOfMemory(wanted, used));
    return { gpu, id: this.#nextId++, byteLength: size, batch: -1 };
  }
}
