import type { WasmMemory } from './webassembly.ts';
import { Memory } from './webassembly.ts';

const pageBytes = 65536;
const alignment = 64;
/** The last page is never used, so that the end of a block is still a 32-bit number. */
export const largestHeapBytes = 65535 * pageBytes;
/** The first page belongs to the kernels' own constants. */
const firstAddress = pageBytes;
/** Larger blocks are few, and joining them keeps room for others. */
const mostRecentBytes = 2 ** 16;

export function roundToAlignment(byteLength: number): number {
  return Math.max(alignment, Math.ceil(byteLength / alignment) * alignment);
}

/**
 * One WebAssembly memory and its allocator. Free blocks are kept in bins by size, about four to an
 * octave, and found by their borders for merging, so that both calls take constant time whatever the
 * number of blocks. A decode step makes hundreds of small temporaries, of the same sizes as the step
 * before: small blocks are kept as they are, by their size, until there is no other room.
 */
export class Heap {
  readonly memory: WasmMemory;
  readonly maximumBytes: number;
  /** Bytes the memory has now. */
  #top = firstAddress;
  readonly #bins: Set<number>[] = [];
  readonly #sizeByStart = new Map<number, number>();
  readonly #startByEnd = new Map<number, number>();
  /** Small blocks just given back, by size; not among the free ones. */
  readonly #recent = new Map<number, number[]>();
  #bytes: Uint8Array<SharedArrayBuffer>;
  #ints: Int32Array<SharedArrayBuffer>;
  #floats: Float32Array<SharedArrayBuffer>;

  constructor(maximumBytes: number) {
    const pages = Math.floor(Math.min(maximumBytes, largestHeapBytes) / pageBytes);
    this.maximumBytes = pages * pageBytes;
    this.memory = new Memory({ initial: 1, maximum: pages, shared: true });
    this.#bytes = new Uint8Array(this.memory.buffer);
    this.#ints = new Int32Array(this.memory.buffer);
    this.#floats = new Float32Array(this.memory.buffer);
  }

  /** The largest block a fresh heap can give. */
  static capacity(maximumBytes: number): number {
    const bytes = Math.min(maximumBytes, largestHeapBytes);
    return Math.floor(bytes / pageBytes) * pageBytes - firstAddress;
  }

  /** Bytes of the memory in use or free, without what it may still grow by. */
  get top(): number {
    return this.#top;
  }

  /** Whether it has never held anything. */
  get isFresh(): boolean {
    return this.#top === firstAddress;
  }

  /** All of the memory; take it anew after anything that may have grown it. */
  get bytes(): Uint8Array {
    return this.#bytes;
  }

  get ints(): Int32Array {
    return this.#ints;
  }

  get floats(): Float32Array {
    return this.#floats;
  }

  /** The address of a block of `size` bytes (a multiple of 64), or null if no free block has it. */
  take(size: number): number | null {
    const known = this.#recent.get(size)?.pop();
    if (known !== undefined) return known;
    const found = this.#takeFree(size);
    if (found !== null || this.#recent.size === 0) return found;
    for (const [recentSize, starts] of this.#recent) {
      for (const start of starts) this.#free(start, recentSize);
    }
    this.#recent.clear();
    return this.#takeFree(size);
  }

  /** Gives back a block that `take` returned. */
  give(start: number, size: number): void {
    if (size > mostRecentBytes) {
      this.#free(start, size);
      return;
    }
    const starts = this.#recent.get(size);
    if (starts) starts.push(start);
    else this.#recent.set(size, [start]);
  }

  /** Bytes the memory must grow by before it can give a block of `size` bytes. */
  growthFor(size: number): number {
    const tail = this.#startByEnd.get(this.#top);
    const wanted = size - (tail === undefined ? 0 : this.#top - tail);
    return Math.ceil(wanted / pageBytes) * pageBytes;
  }

  /**
   * Grows by `byteLength`, or by somewhat more so that growing stays rare; false if the maximum or the
   * machine does not allow it.
   */
  grow(byteLength: number): boolean {
    const room = this.maximumBytes - this.#top;
    if (byteLength > room) return false;
    const generous = Math.ceil(Math.min(this.#top / 4, 64 * 2 ** 20) / pageBytes) * pageBytes;
    const step = Math.min(room, Math.max(byteLength, generous));
    try {
      this.memory.grow(step / pageBytes);
    } catch {
      return false;
    }
    const start = this.#top;
    this.#top += step;
    this.#bytes = new Uint8Array(this.memory.buffer);
    this.#ints = new Int32Array(this.memory.buffer);
    this.#floats = new Float32Array(this.memory.buffer);
    this.#free(start, step);
    return true;
  }

  #takeFree(size: number): number | null {
    const start = this.#find(size);
    if (start === null) return null;
    const blockSize = this.#sizeByStart.get(start)!;
    this.#remove(start, blockSize);
    if (blockSize > size) this.#insert(start + size, blockSize - size);
    return start;
  }

  /** Joins a block with its free neighbours. */
  #free(start: number, size: number): void {
    let first = start;
    let last = start + size;
    const before = this.#startByEnd.get(first);
    if (before !== undefined) {
      this.#remove(before, first - before);
      first = before;
    }
    const sizeAfter = this.#sizeByStart.get(last);
    if (sizeAfter !== undefined) {
      this.#remove(last, sizeAfter);
      last += sizeAfter;
    }
    this.#insert(first, last - first);
  }

  #find(size: number): number | null {
    // Blocks of the own bin may be too small, blocks of every later bin fit.
    const own = binOf(size);
    for (const start of this.#bins[own] ?? []) {
      if (this.#sizeByStart.get(start)! >= size) return start;
    }
    for (let bin = own + 1; bin < this.#bins.length; bin++) {
      for (const start of this.#bins[bin]!) return start;
    }
    return null;
  }

  #insert(start: number, size: number): void {
    const bin = binOf(size);
    while (this.#bins.length <= bin) this.#bins.push(new Set());
    this.#bins[bin]!.add(start);
    this.#sizeByStart.set(start, size);
    this.#startByEnd.set(start + size, start);
  }

  #remove(start: number, size: number): void {
    this.#bins[binOf(size)]!.delete(start);
    this.#sizeByStart.delete(start);
    this.#startByEnd.delete(start + size);
  }
}

/** Sizes of up to 8 units of 64 bytes have a bin each, larger ones four an octave. */
function binOf(size: number): number {
  const units = size / alignment;
  if (units < 8) return units;
  const octave = 31 - Math.clz32(units);
  return 8 + (octave - 3) * 4 + ((units >>> (octave - 2)) & 3);
}
