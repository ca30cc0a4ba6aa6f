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
      const scale = reinterpret<f32>(<u32>load<u16>(tile + (group << 3) + (lane << 1)) << 16);
      const numbers = tile + 32 + group * ((tileBytes<Format>() - 32) >> 2) + (lane << 2);
      for (let i: usize = 0; i < 32; i++) {
        let number: i32;
        if (idof<Format>() == idof<Nibbles>()) {
          const both = load<u8>(numbers + (((i & 15) >> 2) << 4) + (i & 3));
          number = <i32>(i < 16 ? both & 15 : both >> 4) - offset;
        } else {
          const at = numbers + ((i >> 2) << 4) + (i & 3);
          // Stored without an offset they are signed.
          number = offset ? <i32>load<u8>(at) - offset : <i32>load<i8>(at);
        }
        store<f32>(out, <f32>number * scale);
        out += 4;
      }
    }
  }
}
