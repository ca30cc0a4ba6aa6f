import type { Tensor } from '../tensor/tensor.ts';

/**
 * What a call of a kernel has to do, whatever device does it: the least work, by which the time that a
 * device takes can be judged.
 */
export interface Work {
  /** Of kernels that come in kinds, which it is. */
  kind?: string;
  /** Floating-point operations; a multiply and add are two. */
  operations: number;
  /** Bytes that go through memory if every operand goes once. */
  bytes: number;
  /** Whether a device may round the operands to less than f32. */
  roundable: boolean;
}

/** The elements of an i32 tensor; null where only the device knows them. */
export type KnownIntegers = (tensor: Tensor) => Int32Array | null;

export function moving(tensors: readonly Tensor[], operations = 0): Work {
  return { operations, bytes: bytesOf(tensors), roundable: false };
}

/** Of a position in a cache. */
export function cachedBytes({ keys, values }: { keys: Tensor; values: Tensor }): number {
  return bytesOf([keys, values]) / keys.rows;
}

export function bytesOf(tensors: readonly Tensor[]): number {
  return tensors.reduce((sum, { byteLength }) => sum + byteLength, 0);
}
