// Rows of a quantised table: the embedding.
import { Bytes, columnsPerTile, Nibbles, tileBytes } from './tile';
import { floats } from './units';

/** Items are indices: out [T,columns] = the rows of the table, zeros where an index is negative. */
export function gatherQuantized(
  table: usize, indices: usize, out: usize, columns: i32, format: i32, offset: i32,
  begin: i32, end: i32, _thread: i32,
): void {
  for (let t = <usize>begin; t < <usize>end; t++) {
    const index = load<i32>(indices + (t << 2));
    gatherRow(table, index, columns, format, offset, out + t * (<usize>columns << 2));
  }
}

/** A row of a table of any format, or zeros if the index is negative. */
export function gatherRow(
  table: usize, index: i32, columns: i32, format: i32, offset: i32, out: usize,
): void {
  const bytes = <usize>columns << 2;
  if (index < 0) memory.fill(out, 0, bytes);
  else if (format == floats) memory.copy(out, table + <usize>index * bytes, bytes);
  else if (format == 4) expand<Nibbles>(table, <usize>index, <usize>columns, offset, out);
  else expand<Bytes>(table, <usize>index, <usize>columns, offset, out);
}

function expand<Format>(
  table: usize, row: usize, columns: usize, offset: i32, out: usize,
): void {
  const tiles = columns / columnsPerTile;
  let tile = table + (row >> 2) * tiles * tileBytes<Format>();
  const lane = row & 3;
  for (const end = tile + tiles * tileBytes<Format>(); tile < end; tile += tileBytes<Format>()) {
    for (let group: usize = 0; group < 4; group++) {
      const scale = f32x4.splat(
        reinterpret<f32>(<u32>load<u16>(tile + (group << 3) + (lane << 1)) << 16),
      );
      const numbers = tile + 32 + group * ((tileBytes<Format>() - 32) >> 2) + (lane << 2);
      if (idof<Format>() == idof<Nibbles>()) {
        for (let i: usize = 0; i < 64; i += 16) {
          const both = fourBytes(numbers + i);
          storeFour(v128.and(both, i32x4.splat(15)), offset, scale, out + i);
          storeFour(i32x4.shr_u(both, 4), offset, scale, out + 64 + i);
        }
      } else {
        for (let i: usize = 0; i < 128; i += 16) {
          const four = fourBytes(numbers + i);
          // Stored without an offset they are signed.
          const signed = i32x4.shr_s(i32x4.shl(four, 24), 24);
          storeFour(offset ? four : signed, offset, scale, out + i);
        }
      }
      out += 128;
    }
  }
}

/** Four bytes as unsigned integers. */
// @ts-ignore: decorator
@inline
function fourBytes(at: usize): v128 {
  const words = i16x8.extend_low_i8x16_u(v128.load32_zero(at));
  return i32x4.extend_low_i16x8_u(words);
}

// @ts-ignore: decorator
@inline
function storeFour(numbers: v128, offset: i32, scale: v128, out: usize): void {
  const centered = i32x4.sub(numbers, i32x4.splat(offset));
  v128.store(out, f32x4.mul(f32x4.convert_i32x4_s(centered), scale));
}
