import { UserError } from '../errors.ts';

/**
 * Element types a device can hold. Arithmetic is f32 unless an op says otherwise; f16 and i8 are
 * for keys and values in a cache only (see `CachedRows`), where a device has them.
 */
export type DType = 'f32' | 'i32' | 'f16' | 'i8';

export const bytesPerElement: Record<DType, number> = { f32: 4, i32: 4, f16: 2, i8: 1 };

/** A block of a device's memory; opaque to everything but the device that gave it out. */
export interface Storage {
  readonly byteLength: number;
}

/**
 * A dense row-major array in a device's memory: a shape over a storage. Tensors are plain values;
 * they own nothing. Who frees the storage is the scope (temporaries) or whoever allocated it.
 */
export class Tensor {
  readonly shape: readonly number[];
  readonly dtype: DType;
  readonly storage: Storage;
  /** Where the first element lies in the storage, in bytes. */
  readonly byteOffset: number;
  /** Number of elements. */
  readonly size: number;

  constructor(shape: readonly number[], dtype: DType, storage: Storage, byteOffset = 0) {
    this.shape = shape;
    this.dtype = dtype;
    this.storage = storage;
    this.byteOffset = byteOffset;
    this.size = sizeOf(shape);
  }

  get byteLength(): number {
    return this.size * bytesPerElement[this.dtype];
  }

  /** Size of the last dimension. */
  get columns(): number {
    return this.shape[this.shape.length - 1] ?? 1;
  }

  /** Number of rows, all leading dimensions taken together. */
  get rows(): number {
    return this.columns === 0 ? 0 : this.size / this.columns;
  }

  /** The same elements under another shape. */
  reshape(shape: readonly number[]): Tensor {
    if (sizeOf(shape) !== this.size) {
      throw new Error(`cannot see [${this.shape}] as [${shape}]`);
    }
    return new Tensor(shape, this.dtype, this.storage, this.byteOffset);
  }

  /** Entries `begin` to `end` (exclusive) of the first dimension, without copying. */
  slice(begin: number, end: number): Tensor {
    const [first = 0, ...rest] = this.shape;
    if (begin < 0 || end > first || begin > end) {
      throw new Error(`slice ${begin}:${end} is outside [${this.shape}]`);
    }
    const stride = sizeOf(rest) * bytesPerElement[this.dtype];
    const shape = [end - begin, ...rest];
    return new Tensor(shape, this.dtype, this.storage, this.byteOffset + begin * stride);
  }
}

export function sizeOf(shape: readonly number[]): number {
  let size = 1;
  for (let i = 0; i < shape.length; i++) size *= shape[i]!;
  return size;
}

/** Thrown by `Device.allocate`; says what was asked for and what is there. */
export class OutOfMemoryError extends UserError {
  override name = 'OutOfMemoryError';
}
