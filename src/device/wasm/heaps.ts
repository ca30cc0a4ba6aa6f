import { OutOfMemoryError, type Storage } from '../../tensor/tensor.ts';
import { Heap, roundToAlignment } from './heap.ts';
import { availableMemory } from './platform.ts';
import type { WasmMemory } from './webassembly.ts';

/** A block of one of the heaps. */
export class WasmStorage implements Storage {
  readonly heap: number;
  readonly address: number;
  readonly byteLength: number;
  released = false;

  constructor(heap: number, address: number, byteLength: number) {
    this.heap = heap;
    this.address = address;
    this.byteLength = byteLength;
  }
}

/**
 * All memory of the device. A WebAssembly memory ends at 4 GiB, so there are several; a new one is
 * opened when none has room. Blocks of 1/256 of a heap and more leave the last quarter of each to
 * smaller ones (activations, and copies of operands from other heaps); that costs address space only.
 */
export class Heaps {
  readonly heaps: Heap[] = [];
  readonly #heapBytes: number;
  readonly #opened: (memory: WasmMemory) => void;
  /**
   * What the heaps may take together. Memory that nobody has touched yet does not count as used, so
   * what is available now says too little about what has been promised.
   */
  readonly #budget = availableMemory();
  #allocatedBytes = 0;

  /** `opened` is called with the memory of every new heap. */
  constructor(heapBytes: number, opened: (memory: WasmMemory) => void) {
    this.#heapBytes = heapBytes;
    this.#opened = opened;
  }

  get allocatedBytes(): number {
    return this.#allocatedBytes;
  }

  /**
   * A block of any heap, or of the given one.
   * @throws OutOfMemoryError
   */
  allocate(byteLength: number, heap: number | null = null): WasmStorage {
    const size = roundToAlignment(byteLength);
    if (size > Heap.capacity(this.#heapBytes)) {
      throw new OutOfMemoryError(
        `cannot allocate ${mebibytes(byteLength)} in one block: ` +
          `the wasm device holds at most ${mebibytes(Heap.capacity(this.#heapBytes))} a tensor`,
      );
    }
    const found = heap === null ? this.#takeFromAny(size) : this.#takeFrom(heap, size);
    if (!found) {
      throw new OutOfMemoryError(
        `cannot allocate ${mebibytes(byteLength)}: ${mebibytes(this.#allocatedBytes)} are in use ` +
          `and the machine has ${mebibytes(this.#left)} left`,
      );
    }
    const storage = new WasmStorage(found.heap, found.address, byteLength);
    this.#allocatedBytes += storage.byteLength;
    return storage;
  }

  /** A block for the device's own use, for as long as it lives; not counted. */
  reserve(byteLength: number): WasmStorage {
    const storage = this.allocate(byteLength);
    this.#allocatedBytes -= byteLength;
    return storage;
  }

  release(storage: WasmStorage): void {
    if (storage.released) throw new Error('the storage has been released before');
    storage.released = true;
    this.heaps[storage.heap]?.give(storage.address, roundToAlignment(storage.byteLength));
    this.#allocatedBytes -= storage.byteLength;
  }

  /** Lets go of all memory. */
  clear(): void {
    this.heaps.length = 0;
    this.#allocatedBytes = 0;
  }

  /**
   * Opens another heap.
   * @throws OutOfMemoryError
   */
  open(): void {
    let heap: Heap;
    try {
      heap = new Heap(this.#heapBytes);
    } catch {
      throw new OutOfMemoryError(
        `cannot open another WebAssembly memory: ${this.heaps.length} are open ` +
          `and hold ${mebibytes(this.#allocatedBytes)}`,
      );
    }
    this.heaps.push(heap);
    this.#opened(heap.memory);
  }

  /** Bytes by which the heaps can still grow. */
  get #left(): number {
    const grown = this.heaps.reduce((sum, heap) => sum + heap.top, 0);
    return Math.max(0, Math.min(this.#budget - grown, availableMemory()));
  }

  #takeFromAny(size: number): { heap: number; address: number } | null {
    for (let index = 0; ; index++) {
      if (index === this.heaps.length) this.open();
      const heap = this.heaps[index]!;
      const isFresh = heap.isFresh;
      const isLarge = size >= heap.maximumBytes / 256;
      const limit = isLarge && !isFresh ? heap.maximumBytes * 0.75 : heap.maximumBytes;
      const address = this.#take(heap, size, limit);
      if (address !== null) return { heap: index, address };
      if (isFresh) return null; // Not for want of room in the heap.
    }
  }

  #takeFrom(index: number, size: number): { heap: number; address: number } | null {
    const heap = this.heaps[index]!;
    const address = this.#take(heap, size, heap.maximumBytes);
    return address === null ? null : { heap: index, address };
  }

  #take(heap: Heap, size: number, limit: number): number | null {
    const address = heap.take(size);
    if (address !== null) return address;
    const growth = heap.growthFor(size);
    if (heap.top + growth > limit || growth > this.#left || !heap.grow(growth)) return null;
    return heap.take(size);
  }
}

function mebibytes(byteLength: number): string {
  return `${(byteLength / 2 ** 20).toFixed(byteLength < 2 ** 24 ? 1 : 0)} MiB`;
}
