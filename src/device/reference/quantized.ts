/**
 * Quantised weights on the reference device: as they are in files, four rows at a time, and turned into
 * f32 for every call.
 */
import type { Kernels } from '../../tensor/kernels.ts';
import { dequantize } from '../../tensor/quantize.ts';
import {
  type Matrix,
  QuantizedMatrix,
  type QuantizedRows,
  quantizedByteLength,
} from '../../tensor/quantized-matrix.ts';
import { Tensor } from '../../tensor/tensor.ts';
import { bufferOf, type HostStorage } from './memory.ts';

const rowsPerBlock = 4;

/** The same kernels, which also take quantised matrices. */
export function dequantizing(kernels: Kernels): Kernels<Matrix> {
  const wrapped: Record<string, unknown> = {};
  for (const [name, kernel] of Object.entries(kernels) as [string, (a: object) => void][]) {
    wrapped[name] = (a: object) => {
      const entries = Object.entries(a).map(([key, value]) => [key, asTensor(value)]);
      kernel(Object.fromEntries(entries));
    };
  }
  return wrapped as unknown as Kernels<Matrix>;
}

export function writeQuantizedRows(matrix: QuantizedMatrix, rows: QuantizedRows): void {
  for (const [index, block] of blocksOf(matrix).entries()) {
    const { numbers, scales } = block;
    const from = index * numbers.length;
    numbers.set(rows.numbers.subarray(from, from + numbers.length));
    scales.set(rows.scales.subarray(index * scales.length, (index + 1) * scales.length));
  }
}

function asTensor(value: unknown): unknown {
  if (!(value instanceof QuantizedMatrix)) return value;
  const data = new Float32Array(value.size);
  let at = 0;
  for (const block of blocksOf(value)) {
    data.set(dequantize(block, value.bits), at);
    at += rowsPerBlock * value.columns;
  }
  const storage = { byteLength: data.byteLength, buffer: data.buffer } as HostStorage;
  return new Tensor(value.shape, 'f32', storage);
}

/** Where the rows of each block lie. */
function blocksOf({ words, columns, rows, bits }: QuantizedMatrix): QuantizedRows[] {
  const length = quantizedByteLength([rowsPerBlock, columns], bits);
  const numberBytes = (rowsPerBlock * columns * bits) / 8;
  return Array.from({ length: rows / rowsPerBlock }, (_, block) => {
    const begin = words.byteOffset + block * length;
    return {
      numbers: new Uint8Array(bufferOf(words), begin, numberBytes),
      scales: new Uint16Array(bufferOf(words), begin + numberBytes, (length - numberBytes) / 2),
    };
  });
}
