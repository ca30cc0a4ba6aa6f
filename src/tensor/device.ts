import type { CacheType } from './cache-type.ts';
import type { Kernels } from './kernels.ts';
import type { Matrix, QuantizedMatrix, QuantizedRows } from './quantized-matrix.ts';
import type { Storage } from './tensor.ts';

/**
 * What products are computed in. 'mixed': operands rounded to f16, sums and everything else in f32.
 */
export type Precision = 'f32' | 'mixed';

/**
 * What the rest of the system asks of hardware.
 *
 * - Calls take effect in the order in which they are made. A device may queue them; only `read`
 *   waits.
 * - `allocate` gives memory with undefined contents, aligned to at least 16 bytes.
 * - `release` may be called as soon as the last call that uses the storage has been made.
 * - Results do not depend on the number of threads or on what ran before.
 */
export interface Device {
  /** Short name, as given to `--device`. */
  readonly name: string;
  /** One line for people: what it runs on. */
  readonly description: string;
  readonly precision: Precision;
  /** Whether calls return before they take effect, so that the host can prepare what comes next. */
  readonly queuesCalls: boolean;
  /** What its caches of keys and values may hold. */
  readonly cacheTypes: readonly CacheType[];
  readonly kernels: Kernels<Matrix>;

  /** @throws OutOfMemoryError */
  allocate(byteLength: number): Storage;
  release(storage: Storage): void;
  /** Bytes allocated and not released. */
  readonly allocatedBytes: number;

  /** Copies `data` in; it may be changed as soon as the call returns. */
  write(storage: Storage, byteOffset: number, data: ArrayBufferView): void;
  /**
   * Copies rows into a quantised matrix, as many as it has, arranging them as this device's kernels want
   * them. A device without it has no kernels for quantised weights.
   */
  writeQuantized?(matrix: QuantizedMatrix, rows: QuantizedRows): void;
  /** Copies bytes out, after everything called before has taken effect. */
  read(storage: Storage, byteOffset: number, byteLength: number): Promise<Uint8Array>;

  /** Ends worker threads and frees all memory. */
  destroy(): Promise<void>;
}
