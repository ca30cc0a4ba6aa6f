// A cache of bytes, with a scale for each row and head, and attention to it in integers: four times the
// multiply-adds of f32 in an instruction, and a quarter of the memory.
//
// Four rows, a quad, lie together: for each head their scales, then the numbers so that a vector is what
// one dot product of bytes takes. Of keys it has four columns of each of the four rows, because scores are
// sums over columns; of values the four rows of each of four columns, because they are summed over rows.
import { madd } from '../simd';
import { dot } from './tile';

// 1.5·2²³: adding it rounds to an integer, which is then in the low bits.
const rounding = memory.data<f32>([12582912, 12582912, 12582912, 12582912], 16);
const quadScaleBytes: usize = 16;

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

/** Bytes of a query: numbers, its scale, and what sums of its products begin at. */
// @ts-ignore: decorator
@inline
export function packedQueryBytes(keyDim: i32): usize {
  return (<usize>keyDim + 8 + 15) & ~15;
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
      const scale = largestOf(from, columns) / 127;
      store<f32>(quad + (lane << 2), scale);
      const inverse: f32 = scale > 1e-30 ? 1 / scale : 0;
      const numbers = quad + quadScaleBytes;
      for (let i: usize = 0; i < <usize>columns; i++) {
        const number = integer(load<f32>(from + (i << 2)) * inverse) + offset;
        const place = areValues ? (i << 2) + lane : ((i >> 2) << 4) + (lane << 2) + (i & 3);
        store<u8>(numbers + place, <u8>number);
      }
      from += <usize>columns << 2;
      quad += headBytes(columns);
    }
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

/** A query times `factor` as bytes. */
export function packByteQuery(
  from: usize, keyDim: i32, factor: f32, offset: i32, to: usize,
): void {
  const scale = largestOf(from, keyDim) / 127;
  const inverse: f32 = scale > 1e-30 ? 1 / scale : 0;
  let sum = 0;
  for (let i: usize = 0; i < <usize>keyDim; i++) {
    const number = integer(load<f32>(from + (i << 2)) * inverse);
    sum += number;
    store<i8>(to + i, <i8>number);
  }
  store<f32>(to + <usize>keyDim, scale * factor);
  store<i32>(to + <usize>keyDim, -offset * sum, 4);
}

/**
 * Reads a word of each line of a head in `quads` quads, keys and values: all at once they come at the rate
 * of memory, which they would not between computations. The sum is for the compiler.
 */
export function touchQuads(
  places: usize, quads: i32, keys: usize, keyStride: usize, keyDim: i32, values: usize,
  valueStride: usize, valueDim: i32,
): i32 {
  let sum = 0;
  for (const end = places + (<usize>quads << 2); places < end; places += 4) {
    const place = <usize>load<i32>(places);
    const key = keys + place * keyStride, value = values + place * valueStride;
    for (let i: usize = 0; i < headBytes(keyDim); i += 64) sum += load<i32>(key + i);
    for (let i: usize = 0; i < headBytes(valueDim); i += 64) sum += load<i32>(value + i);
  }
  return sum;
}

/** scores [4·quads,4] = the keys of quads at `places` times four queries. */
export function addByteKeys(
  query: usize, keys: usize, stride: usize, places: usize, quads: i32, keyDim: i32, scores: usize,
): void {
  const bytes = packedQueryBytes(keyDim);
  const q1 = query + bytes, q2 = q1 + bytes, q3 = q2 + bytes;
  const depth = <usize>keyDim;
  for (let j = 0; j < quads; j += 2) {
    const other = min(j + 1, quads - 1);
    const quad0 = keys + <usize>load<i32>(places + (<usize>j << 2)) * stride;
    const quad1 = keys + <usize>load<i32>(places + (<usize>other << 2)) * stride;
    let s00 = v128.load32_splat(query + depth, 4), s10 = s00;
    let s01 = v128.load32_splat(q1 + depth, 4), s11 = s01;
    let s02 = v128.load32_splat(q2 + depth, 4), s12 = s02;
    let s03 = v128.load32_splat(q3 + depth, 4), s13 = s03;
    let i = quadScaleBytes;
    for (let k: usize = 0; k < depth; k += 4) {
      const a = v128.load(quad0 + i), b = v128.load(quad1 + i);
      let x = v128.load32_splat(query + k); s00 = dot(x, a, s00); s10 = dot(x, b, s10);
      x = v128.load32_splat(q1 + k); s01 = dot(x, a, s01); s11 = dot(x, b, s11);
      x = v128.load32_splat(q2 + k); s02 = dot(x, a, s02); s12 = dot(x, b, s12);
      x = v128.load32_splat(q3 + k); s03 = dot(x, a, s03); s13 = dot(x, b, s13);
      i += 16;
    }
    const scales = f32x4(
      load<f32>(query + depth), load<f32>(q1 + depth), load<f32>(q2 + depth), load<f32>(q3 + depth),
    );
    storeTransposed(s00, s01, s02, s03, scales, quad0, scores + (<usize>j << 6));
    storeTransposed(s10, s11, s12, s13, scales, quad1, scores + (<usize>other << 6));
  }
}

/** Integer sums of four queries, each with four rows, to the rows' scores of four queries. */
// @ts-ignore: decorator
@inline
function storeTransposed(
  a: v128, b: v128, c: v128, d: v128, scales: v128, rowScales: usize, to: usize,
): void {
  const ab = v128.shuffle<i32>(a, b, 0, 4, 1, 5), abHigh = v128.shuffle<i32>(a, b, 2, 6, 3, 7);
  const cd = v128.shuffle<i32>(c, d, 0, 4, 1, 5), cdHigh = v128.shuffle<i32>(c, d, 2, 6, 3, 7);
  storeScores(v128.shuffle<i64>(ab, cd, 0, 2), scales, rowScales, to);
  storeScores(v128.shuffle<i64>(ab, cd, 1, 3), scales, rowScales + 4, to + 16);
  storeScores(v128.shuffle<i64>(abHigh, cdHigh, 0, 2), scales, rowScales + 8, to + 32);
  storeScores(v128.shuffle<i64>(abHigh, cdHigh, 1, 3), scales, rowScales + 12, to + 48);
}

// @ts-ignore: decorator
@inline
function storeScores(sums: v128, scales: v128, rowScale: usize, to: usize): void {
  const scale = f32x4.mul(scales, v128.load32_splat(rowScale));
  v128.store(to, f32x4.mul(f32x4.convert_i32x4_s(sums), scale));
}

/**
 * sums [4,columns] += probabilities [4·quads,4] transposed · the values of quads at `places`. Each
 * probability is multiplied by its row's scale, and these are rounded to bytes for the block together.
 */
export function addByteValues(
  probabilities: usize, values: usize, stride: usize, places: usize, quads: i32, valueDim: i32,
  offset: i32, bytes: usize, sums: usize, columns: i32,
): void {
  let largest = f32x4.splat(0);
  for (let j: usize = 0; j < <usize>quads; j++) {
    const scales = values + <usize>load<i32>(places + (j << 2)) * stride;
    for (let row: usize = 0; row < 16; row += 4) {
      const at = probabilities + (j << 6) + (row << 2);
      const p = v128.load(at);
      // The scale of a row that nobody has written may be no number, but its probability is 0.
      const scaled = v128.and(
        f32x4.mul(p, v128.load32_splat(scales + row)), f32x4.ne(p, f32x4.splat(0)),
      );
      v128.store(at, scaled);
      largest = f32x4.pmax(largest, scaled);
    }
  }
  const step = f32x4.mul(largest, f32x4.splat(<f32>(1.0 / 127)));
  const isSome = f32x4.gt(step, f32x4.splat(1e-30));
  const inverse = v128.and(f32x4.div(f32x4.splat(1), step), isSome);
  const round = v128.load(rounding);
  let total = i32x4.splat(0);
  for (let j: usize = 0; j < <usize>quads; j++) {
    const at = probabilities + (j << 6);
    const a = rounded(at, inverse, round), b = rounded(at + 16, inverse, round);
    const c = rounded(at + 32, inverse, round), d = rounded(at + 48, inverse, round);
    total = i32x4.add(total, i32x4.add(i32x4.add(a, b), i32x4.add(c, d)));
    const all = i8x16.narrow_i16x8_s(i16x8.narrow_i32x4_s(a, b), i16x8.narrow_i32x4_s(c, d));
    const own = v128.shuffle<i8>(all, all, 0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    v128.store(bytes + (j << 4), own);
  }
  const start = i32x4.mul(total, i32x4.splat(-offset));
  const used = v128.and(step, isSome);
  for (let i = 0; i < valueDim; i += 8) {
    addEightColumns(
      bytes, values + quadScaleBytes + (<usize>i << 2), stride, places, quads, start, used,
      sums + (<usize>i << 2), <usize>columns << 2,
    );
  }
}

// @ts-ignore: decorator
@inline
function rounded(x: usize, inverse: v128, round: v128): v128 {
  return i32x4.sub(f32x4.add(f32x4.mul(v128.load(x), inverse), round), round);
}

function addEightColumns(
  bytes: usize, values: usize, stride: usize, places: usize, quads: i32, start: v128, step: v128,
  to: usize, rowBytes: usize,
): void {
  let a0 = v128.shuffle<i32>(start, start, 0, 0, 0, 0), b0 = a0;
  let a1 = v128.shuffle<i32>(start, start, 1, 1, 1, 1), b1 = a1;
  let a2 = v128.shuffle<i32>(start, start, 2, 2, 2, 2), b2 = a2;
  let a3 = v128.shuffle<i32>(start, start, 3, 3, 3, 3), b3 = a3;
  for (const end = places + (<usize>quads << 2); places < end; places += 4) {
    const quad = values + <usize>load<i32>(places) * stride;
    const x = v128.load(quad), y = v128.load(quad, 16);
    let w = v128.load32_splat(bytes); a0 = dot(w, x, a0); b0 = dot(w, y, b0);
    w = v128.load32_splat(bytes, 4); a1 = dot(w, x, a1); b1 = dot(w, y, b1);
    w = v128.load32_splat(bytes, 8); a2 = dot(w, x, a2); b2 = dot(w, y, b2);
    w = v128.load32_splat(bytes, 12); a3 = dot(w, x, a3); b3 = dot(w, y, b3);
    bytes += 16;
  }
  addScaled(to, a0, b0, v128.shuffle<f32>(step, step, 0, 0, 0, 0));
  addScaled(to + rowBytes, a1, b1, v128.shuffle<f32>(step, step, 1, 1, 1, 1));
  addScaled(to + 2 * rowBytes, a2, b2, v128.shuffle<f32>(step, step, 2, 2, 2, 2));
  addScaled(to + 3 * rowBytes, a3, b3, v128.shuffle<f32>(step, step, 3, 3, 3, 3));
}

// @ts-ignore: decorator
@inline
function addScaled(to: usize, a: v128, b: v128, step: v128): void {
  v128.store(to, madd(f32x4.convert_i32x4_s(a), step, v128.load(to)));
  v128.store(to, madd(f32x4.convert_i32x4_s(b), step, v128.load(to, 16)), 16);
}
