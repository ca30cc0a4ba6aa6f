/** How a quantised matrix lies in files: its numbers under its own name, and its scales beside it. */
import { UserError } from '../errors.ts';
import { groupSize, type QuantizedBits, type QuantizedRows } from '../tensor/quantized-matrix.ts';
import type { StoredTensors } from './stored-tensors.ts';

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

/** @throws UserError when one of the two is missing, misshapen or of another type */
export function checkQuantized(
  tensors: StoredTensors,
  name: string,
  shape: readonly number[],
  bits: QuantizedBits,
): void {
  const [rows = 0, columns = 0] = shape;
  const parts = quantizedTensors(name, [rows, columns], bits);
  for (const { name: part, shape: expected, dtype } of parts) {
    tensors.checkShape(part, expected);
    const file = tensors.fileOf(part);
    const found = file.info(part).dtype;
    if (found === dtype) continue;
    throw new UserError(
      `${file.name}: tensor "${part}" is ${found}, but config.json says that weights are ` +
        `quantised, which asks for ${dtype}; use the weights that belong to it`,
    );
  }
}

/** @throws UserError when one of the two is missing or misshapen, or a scale is no number */
export async function readQuantizedRows(
  tensors: StoredTensors,
  name: string,
  shape: readonly number[],
  bits: QuantizedBits,
): Promise<QuantizedRows> {
  checkQuantized(tensors, name, shape, bits);
  const scales = quantizedScaleName(name);
  const codes = await tensors.fileOf(scales).readBytes(scales);
  // Copies: bytes need not be aligned where they are.
  const rows = {
    numbers: (await tensors.fileOf(name).readBytes(name)).slice(),
    scales: new Uint16Array(codes.slice().buffer),
  };
  const bad = rows.scales.findIndex((code) => (code & 0x7f80) === 0x7f80);
  if (bad < 0) return rows;
  throw new UserError(
    `${tensors.fileOf(scales).name}: tensor "${scales}" holds a scale that is no number at element ` +
      `${bad}; the weights are damaged, so quantise or copy them again`,
  );
}
