// A cache of bytes, with a scale for each row and head; what attends to it is in byte-tiles.ts.
//
// Four rows, a quad, lie together: for each head their scales, then the numbers so that a vector is what
// one dot product of bytes takes. Of keys it has four columns of each of the four rows, because scores are
// sums over columns; of values the four rows of each of four columns, because they are summed over rows.
/** Formats of a cache, by the bytes of its numbers. */
export const halfFormat: i32 = 2;
export const byteFormat: i32 = 1;

/** The scales of a head in four rows, which its numbers follow. */
export const quadScaleBytes: usize = 16;

/** Bytes of four rows. */
// @ts-ignore: decorator
@inline
export function quadBytes(heads: i32, columns: i32): usize {
  return <usize>heads * headBytes(columns);
}

/** Bytes of a head in four rows. */
// @ts-ignore: decorator
@inline
export function headBytes(columns: i32): usize {
  return quadScaleBytes + (<usize>columns << 2);
}

// @ts-ignore: decorator
@inline
function largestOf(x: usize, count: i32): f32 {
  let largest: f32 = 0;
  for (let i: usize = 0; i < <usize>count; i++) {
    largest = max(largest, abs(load<f32>(x + (i << 2))));
  }
  return largest;
}

// @ts-ignore: decorator
@inline
function integer(x: f32): i32 {
  return <i32>nearest(x);
}

/**
 * Items are rows of source [T, heads·columns] → rows indices[t] ≥ 0 of a cache of bytes. `offset` is added
 * to numbers, as the machine's dot product wants it.
 */
export function writeByteRows(
  source: usize, indices: usize, out: usize, heads: i32, columns: i32, areValues: i32, offset: i32,
  begin: i32, end: i32, _thread: i32,
): void {
  for (let t = <usize>begin; t < <usize>end; t++) {
    const index = load<i32>(indices + (t << 2));
    if (index < 0) continue;
    const lane = <usize>index & 3;
    let from = source + ((t * <usize>(heads * columns)) << 2);
    let quad = out + <usize>(index >> 2) * quadBytes(heads, columns);
    for (let head = 0; head < heads; head++) {
      writeByteHead(from, quad, lane, columns, areValues, offset);
      from += <usize>columns << 2;
      quad += headBytes(columns);
    }
  }
}

/** A head of a row to row `lane` of a quad: `quad` is where those of this head begin. */
export function writeByteHead(
  from: usize, quad: usize, lane: usize, columns: i32, areValues: i32, offset: i32,
): void {
  const scale = largestOf(from, columns) / 127;
  store<f32>(quad + (lane << 2), scale);
  const inverse: f32 = scale > 1e-30 ? 1 / scale : 0;
  const numbers = quad + quadScaleBytes;
  for (let i: usize = 0; i < <usize>columns; i++) {
    const number = integer(load<f32>(from + (i << 2)) * inverse) + offset;
    const place = areValues ? (i << 2) + lane : ((i >> 2) << 4) + (lane << 2) + (i & 3);
    store<u8>(numbers + place, <u8>number);
  }
}

/** Items are heads: x [n,columns] in its place rounded as by `writeByteRows`. */
export function roundToBytes(
  x: usize, columns: i32, begin: i32, end: i32, _thread: i32,
): void {
  for (let head = <usize>begin; head < <usize>end; head++) {
    const from = x + ((head * <usize>columns) << 2);
    const scale = largestOf(from, columns) / 127;
    const inverse: f32 = scale > 1e-30 ? 1 / scale : 0;
    for (let i: usize = 0; i < <usize>columns; i++) {
      const number = integer(load<f32>(from + (i << 2)) * inverse);
      store<f32>(from + (i << 2), <f32>number * scale);
    }
  }
}

/** Items are rows: out [n, heads·columns] = the rows of a cache of bytes at `places` i32 [n], in f32. */
export function expandByteRows(
  cache: usize, places: usize, out: usize, heads: i32, columns: i32, areValues: i32, offset: i32,
  begin: i32, end: i32, _thread: i32,
): void {
  for (let t = <usize>begin; t < <usize>end; t++) {
    const index = load<i32>(places + (t << 2));
    const lane = <usize>index & 3;
    let to = out + ((t * <usize>(heads * columns)) << 2);
    let quad = cache + <usize>(index >> 2) * quadBytes(heads, columns);
    for (let head = 0; head < heads; head++) {
      const scale = load<f32>(quad + (lane << 2));
      const numbers = quad + quadScaleBytes;
      for (let i: usize = 0; i < <usize>columns; i++) {
        const place = areValues ? (i << 2) + lane : ((i >> 2) << 4) + (lane << 2) + (i & 3);
        const number = offset ? <i32>load<u8>(numbers + place) - offset : <i32>load<i8>(numbers + place);
        store<f32>(to + (i << 2), <f32>number * scale);
      }
      to += <usize>columns << 2;
      quad += headBytes(columns);
    }
  }
}
