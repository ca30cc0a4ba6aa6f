/**
 * Weights of 8 or 4 bits, for inference. Along a row, groups of 32 numbers share a scale: element =
 * scale·(number − 2^(bits−1)), with the number unsigned and the scale a bfloat16, which loses nothing
 * because numbers are chosen for the scale as it is rounded.
 */
import { type Storage, sizeOf, Tensor } from './tensor.ts';

export type QuantizedBits = 8 | 4;

/** Columns that share a scale. */
export const groupSize = 32;
/** Devices arrange what lies in a block of so many rows and columns as they like. */
const blockRows = 4;
const blockColumns = 128;

/**
 * A matrix [N,K], or several [E,N,K], in a device's memory. Like a tensor it owns nothing. How a block of
 * four rows is arranged is the device's own: `Device.writeQuantized` arranges it.
 */
export class QuantizedMatrix {
  readonly shape: readonly number[];
  readonly bits: QuantizedBits;
  /** The memory, as integers. */
  readonly words: Tensor;

  constructor(shape: readonly number[], bits: QuantizedBits, storage: Storage, byteOffset = 0) {
    this.shape = shape;
    this.bits = bits;
    const length = quantizedByteLength(shape, bits) / 4;
    this.words = new Tensor([length], 'i32', storage, byteOffset);
  }

  get size(): number {
    return sizeOf(this.shape);
  }

  get byteLength(): number {
    return this.words.byteLength;
  }

  get columns(): number {
    return this.shape[this.shape.length - 1]!;
  }

  get rows(): number {
    return this.size / this.columns;
  }

  get storage(): Storage {
    return this.words.storage;
  }

  get byteOffset(): number {
    return this.words.byteOffset;
  }

  /** Entries `begin` to `end` of the first dimension, without copying; of a matrix, whole blocks. */
  slice(begin: number, end: number): QuantizedMatrix {
    const [first = 0, ...rest] = this.shape;
    if (begin < 0 || end > first || begin > end) {
      throw new Error(`slice ${begin}:${end} is outside [${this.shape}]`);
    }
    const rows = sizeOf(rest) / this.columns;
    if ((begin * rows) % blockRows !== 0 || (end * rows) % blockRows !== 0) {
      throw new Error(`slice ${begin}:${end} of [${this.shape}] cuts a block of ${blockRows} rows`);
    }
    const stride = first === 0 ? 0 : this.byteLength / first;
    const shape = [end - begin, ...rest];
    return new QuantizedMatrix(shape, this.bits, this.storage, this.byteOffset + begin * stride);
  }
}

/** A matrix of weights as inference takes it. */
export type Matrix = Tensor | QuantizedMatrix;

/** A matrix that has a gradient. */
export function trainable(matrix: Matrix): Tensor {
  if (matrix instanceof Tensor) return matrix;
  throw new Error('quantised weights have no gradient');
}

/**
 * Rows of a quantised matrix on the host, in order: numbers of 8 bits, or two of 4 bits in a byte, byte i
 * of a group holding element i in its lower half and element i + 16 in its upper; and the scales, as
 * bfloat16. Files have the same.
 */
export interface QuantizedRows {
  numbers: Uint8Array;
  scales: Uint16Array;
}

/** Whether a matrix of this shape can be quantised: whole blocks only. */
export function isQuantizable(shape: readonly number[]): boolean {
  const [rows = 0, columns = 0] = shape.slice(-2);
  return shape.length >= 2 && rows % blockRows === 0 && columns % blockColumns === 0;
}

/** Bytes of a matrix: those of its numbers and scales. */
export function quantizedByteLength(shape: readonly number[], bits: QuantizedBits): number {
  const size = sizeOf(shape);
  return (size * bits) / 8 + (size / groupSize) * 2;
}
