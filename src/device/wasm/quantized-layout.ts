/**
 * How quantised weights lie in the device's memory: blocks of four rows, each as tiles of 128 columns. A
 * tile has 16 scales, four rows for each of its four groups, then the numbers of the groups: four columns
 * of the first row, of the second, the third and the fourth, then the next four columns. A vector then
 * holds what one integer dot product takes (see assembly/inference/tile.ts), and a product reads one
 * stream. In words of four bytes this is a transposition, for both widths of numbers: a word of nibbles
 * holds four columns in its lower halves and the four 16 columns further in its upper.
 */
import {
  groupSize,
  type QuantizedBits,
  type QuantizedRows,
} from '../../tensor/quantized-matrix.ts';

const rowsPerBlock = 4;
const groupsPerTile = 4;

/** Writes rows of `columns` columns to `out`; every word of numbers is xored with `flip`. */
export function arrangeTiles(
  { numbers, scales }: QuantizedRows,
  columns: number,
  bits: QuantizedBits,
  flip: number,
  out: Int32Array,
): void {
  const words = new Int32Array(numbers.buffer, numbers.byteOffset, numbers.length / 4);
  const halves = new Uint16Array(out.buffer, out.byteOffset, out.length * 2);
  const groupsPerRow = columns / groupSize;
  const wordsPerGroup = bits;
  const rowWords = groupsPerRow * wordsPerGroup;
  const tiles = groupsPerRow / groupsPerTile;
  let to = 0;
  for (let block = 0; block * rowsPerBlock * groupsPerRow < scales.length; block++) {
    for (let tile = 0; tile < tiles; tile++) {
      for (let group = 0; group < groupsPerTile; group++) {
        for (let row = 0; row < rowsPerBlock; row++) {
          const from = (block * rowsPerBlock + row) * groupsPerRow + tile * groupsPerTile + group;
          halves[2 * to + group * rowsPerBlock + row] = scales[from]!;
        }
      }
      to += (groupsPerTile * rowsPerBlock) / 2;
      for (let group = 0; group < groupsPerTile; group++) {
        const first =
          block * rowsPerBlock * rowWords + (tile * groupsPerTile + group) * wordsPerGroup;
        for (let word = 0; word < wordsPerGroup; word++) {
          for (let row = 0; row < rowsPerBlock; row++) {
            out[to++] = words[first + row * rowWords + word]! ^ flip;
          }
        }
      }
    }
  }
}
