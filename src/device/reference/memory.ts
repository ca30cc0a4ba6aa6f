import type { Storage, Tensor } from '../../tensor/tensor.ts';

/** On the reference device a storage is simply an array buffer. */
export interface HostStorage extends Storage {
  readonly buffer: ArrayBuffer;
}

/** The elements of an f32 tensor. */
export function floats(tensor: Tensor): Float32Array {
  if (tensor.dtype !== 'f32') throw new Error(`expected f32, got ${tensor.dtype}`);
  return new Float32Array(bufferOf(tensor), tensor.byteOffset, tensor.size);
}

/** The elements of an i32 tensor. */
export function ints(tensor: Tensor): Int32Array {
  if (tensor.dtype !== 'i32') throw new Error(`expected i32, got ${tensor.dtype}`);
  return new Int32Array(bufferOf(tensor), tensor.byteOffset, tensor.size);
}

export function bufferOf(tensor: Tensor): ArrayBuffer {
  return (tensor.storage as HostStorage).buffer;
}
