/** How a quantised matrix lies in files: its numbers under its own name, and its scales beside it. */
import { groupSize, type QuantizedBits } from '../tensor/quantized-matrix.ts';

export interface QuantizedTensorLayout {
  name: string;
  dtype: 'U8' | 'BF16';
  shape: number[];
}

export function quantizedScaleName(name: string): string {
  return `${name}_scale`;
}

/** The two tensors of a matrix [rows, columns]: numbers and scales, as in `QuantizedRows`. */
export function quantizedTensors(
  name: string,
  [rows, columns]: readonly [number, number],
  bits: QuantizedBits,
): [QuantizedTensorLayout, QuantizedTensorLayout] {
  return [
    { name, dtype: 'U8', shape: [rows, (columns * bits) / 8] },
    { name: quantizedScaleName(name), dtype: 'BF16', shape: [rows, columns / groupSize] },
  ];
}
