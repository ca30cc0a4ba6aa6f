import { quantize } from '../../src/tensor/quantize.ts';
import {
  type QuantizedBits,
  QuantizedMatrix,
  quantizedByteLength,
} from '../../src/tensor/quantized-matrix.ts';
import type { Scope } from '../../src/tensor/scope.ts';
import type { HostTensor } from './case.ts';

/** The tolerance where a device may round activations to bytes. */
export const roundedToBytes = 2e-2;

export function weightsOf(
  scope: Scope,
  bits: QuantizedBits,
  { shape, data }: HostTensor,
): QuantizedMatrix {
  const words = scope.empty([quantizedByteLength(shape, bits) / 4], 'i32');
  const matrix = new QuantizedMatrix(shape, bits, words.storage);
  scope.device.writeQuantized!(matrix, quantize(data as Float32Array, bits));
  return matrix;
}
