/**
 * Weights of 8 and 4 bits as kernels read them: in chunks of 16 bytes, 16 or 32 numbers of a row. A block
 * of four rows has the chunks of each row, one row after another, and then the scales: for every two
 * groups a word for each of the four rows, the first group's scale in its lower half.
 *
 * A number times its scale is exact in f32, so products are those of the same weights in f32.
 */
import {
  groupSize,
  type Matrix,
  type QuantizedBits,
  QuantizedMatrix,
  type QuantizedRows,
} from '../../../tensor/quantized-matrix.ts';
import type { Tensor } from '../../../tensor/tensor.ts';

/** 32: plain f32. */
export type WeightBits = 32 | QuantizedBits;

export const bitsOf = (matrix: Matrix): WeightBits =>
  matrix instanceof QuantizedMatrix ? matrix.bits : 32;

/** The memory of a matrix as a kernel binds it. */
export const memoryOf = (matrix: Matrix): Tensor =>
  matrix instanceof QuantizedMatrix ? matrix.words : matrix;

/** How the second factor of a tile is read: with its bits, and if they are fewer than 32 its columns. */
export interface TileWeights {
  bits?: WeightBits;
  inner?: number;
}

export const tileWeights = (b: Matrix) =>
  b instanceof QuantizedMatrix
    ? { bits: b.bits, inner: b.columns }
    : { bits: 32 as const, inner: 0 };

/** `weightsAt(row, column)` for a tile's \`b\`; nothing if that is f32. */
export const tileWeightReader = ({ bits = 32, inner = 0 }: TileWeights) =>
  bits === 32 ? '' : weightReader('weightsAt', 'b', inner, bits);

export const isQuantized = ({ bits = 32 }: TileWeights) => bits !== 32;

export const chunkNumbers = (bits: QuantizedBits) => 128 / bits;

const rowChunks = (columns: number, bits: QuantizedBits) => columns / chunkNumbers(bits);
const blockChunks = (columns: number, bits: QuantizedBits) =>
  4 * rowChunks(columns, bits) + columns / (2 * groupSize);

/** Arranges whole blocks of rows. Numbers of 8 bits become signed. */
export function arrangeBlocks(
  { numbers, scales }: QuantizedRows,
  columns: number,
  bits: QuantizedBits,
): Uint32Array<ArrayBuffer> {
  const blockWords = 4 * blockChunks(columns, bits);
  const numberWords = 16 * rowChunks(columns, bits);
  const groups = columns / groupSize;
  const words = new Uint32Array((scales.length / (4 * groups)) * blockWords);
  const bytes = new Uint8Array(words.buffer);
  for (let block = 0; block * blockWords < words.length; block++) {
    const begin = block * blockWords;
    const from = block * numberWords * 4;
    bytes.set(numbers.subarray(from, from + numberWords * 4), 4 * begin);
    if (bits === 8) for (let i = 0; i < numberWords; i++) words[begin + i]! ^= 0x80808080;
    for (let row = 0; row < 4; row++) {
      const own = (4 * block + row) * groups;
      for (let pair = 0; 2 * pair < groups; pair++) {
        const both = scales[own + 2 * pair]! | (scales[own + 2 * pair + 1]! << 16);
        words[begin + numberWords + 4 * pair + row] = both;
      }
    }
  }
  return words;
}

/** WGSL for where the chunks of a row begin, in chunks. */
export function chunksOfRow(row: string, columns: number, bits: QuantizedBits): string {
  const [own, block] = [rowChunks(columns, bits), blockChunks(columns, bits)];
  return `(${row}) / 4u * ${block}u + (${row}) % 4u * ${own}u`;
}

/** The same for the scales of its block, of which its own are in the component row % 4. */
export function scalesOfRow(row: string, columns: number, bits: QuantizedBits): string {
  const block = blockChunks(columns, bits);
  return `(${row}) / 4u * ${block}u + ${4 * rowChunks(columns, bits)}u`;
}

/** The scale of group `group`, from the word that has it. */
export const scaleFrom = (word: string, group: string) =>
  `bitcast<f32>(select(${word} << 16u, ${word} & 0xffff0000u, (${group}) % 2u == 1u))`;

/** Four numbers of a word as f32. Of nibbles: the lower halves of its bytes, or the upper ones. */
export function numbersFrom(word: string, bits: QuantizedBits, upper = false): string {
  if (bits === 8) {
    return `vec4f((vec4i(bitcast<i32>(${word})) << vec4u(24u, 16u, 8u, 0u)) >> vec4u(24u))`;
  }
  const shifts = upper ? '4u, 12u, 20u, 28u' : '0u, 8u, 16u, 24u';
  return `(vec4f((vec4u(${word}) >> vec4u(${shifts})) & vec4u(15u)) - 8.0)`;
}

/** A function \`name(row, column)\` that gives four weights from a column on, a multiple of 4. */
export function weightReader(
  name: string,
  array: string,
  columns: number,
  bits: QuantizedBits,
): string {
  const numbers =
    bits === 8
      ? numbersFrom('word', bits)
      : `select(${numbersFrom('word', bits)}, ${numbersFrom('word', bits, true)}, column % 32u >= 16u)`;
  return /* wgsl */ `
fn ${name}(row: u32, column: u32) -> vec4f {
  let chunk = ${array}[${chunksOfRow('row', columns, bits)} + column / ${chunkNumbers(bits)}u];
  let word = chunk[column / 4u % 4u];
  let scales = ${array}[${scalesOfRow('row', columns, bits)} + column / ${2 * groupSize}u][row % 4u];
  return ${numbers} * ${scaleFrom('scales', `column / ${groupSize}u`)};
}`;
}
