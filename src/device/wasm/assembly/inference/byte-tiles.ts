// The inner loops of attention to a cache of bytes, in integers and over four queries at a time: four times
// the multiply-adds of f32 in an instruction, and a quarter of the memory.
import { exp4 } from '../math';
import { madd } from '../simd';
import { quadScaleBytes } from './cached-bytes';
import { dot } from './tile';

// 1.5·2²³: adding it rounds to an integer, which is then in the low bits.
const rounding = memory.data<f32>([12582912, 12582912, 12582912, 12582912], 16);
// In memory, because a vector of constants is made anew wherever it is used.
const magnitudes = memory.data<u32>([0x7fffffff, 0x7fffffff, 0x7fffffff, 0x7fffffff], 16);

/**
 * Bytes of a query. Four lie together: four numbers of each in turn, then their scales, then what the sums
 * of their products begin at.
 */
// @ts-ignore: decorator
@inline
export function packedQueryBytes(keyDim: i32): usize {
  return <usize>keyDim + 8;
}

/** A query times `factor` as bytes, as number `lane` of the four at `to`. */
export function packByteQuery(
  from: usize, keyDim: i32, factor: f32, offset: i32, lane: usize, to: usize,
): void {
  const end = from + (<usize>keyDim << 2);
  const magnitude = v128.load(magnitudes), round = v128.load(rounding);
  let most = f32x4.splat(0);
  for (let at = from; at < end; at += 16) {
    most = f32x4.pmax(most, v128.and(v128.load(at), magnitude));
  }
  most = f32x4.pmax(most, v128.shuffle<f32>(most, most, 2, 3, 0, 1));
  const scale = max(f32x4.extract_lane(most, 0), f32x4.extract_lane(most, 1)) / 127;
  const inverse = f32x4.splat(scale > 1e-30 ? 1 / scale : 0);
  let sums = i32x4.splat(0);
  let place = to + (lane << 2);
  for (let at = from; at < end; at += 16) {
    const numbers = rounded(v128.load(at), inverse, round);
    sums = i32x4.add(sums, numbers);
    const words = i16x8.narrow_i32x4_s(numbers, numbers);
    v128.store_lane<i32>(place, i8x16.narrow_i16x8_s(words, words), 0);
    place += 16;
  }
  const sum = i32x4.extract_lane(sums, 0) + i32x4.extract_lane(sums, 1)
    + i32x4.extract_lane(sums, 2) + i32x4.extract_lane(sums, 3);
  store<f32>(place, scale * factor);
  store<i32>(place, -offset * sum, 16);
}

// @ts-ignore: decorator
@inline
function rounded(x: v128, inverse: v128, round: v128): v128 {
  return i32x4.sub(f32x4.add(f32x4.mul(x, inverse), round), round);
}

/** scores [4·quads,4] = the keys of quads at `places` times the four queries at `query`. */
export function addByteKeys(
  query: usize, keys: usize, stride: usize, places: usize, quads: i32, keyDim: i32, scores: usize,
): void {
  const end = query + (<usize>keyDim << 2);
  for (let j = 0; j < quads; j += 2) {
    const other = min(j + 1, quads - 1);
    const quad0 = keys + <usize>load<i32>(places + (<usize>j << 2)) * stride;
    const quad1 = keys + <usize>load<i32>(places + (<usize>other << 2)) * stride;
    let s00 = v128.load32_splat(end, 16), s10 = s00, s01 = v128.load32_splat(end, 20), s11 = s01;
    let s02 = v128.load32_splat(end, 24), s12 = s02, s03 = v128.load32_splat(end, 28), s13 = s03;
    let at0 = quad0 + quadScaleBytes, at1 = quad1 + quadScaleBytes;
    for (let at = query; at < end; at += 16) {
      const a = v128.load(at0), b = v128.load(at1);
      let x = v128.load32_splat(at); s00 = dot(x, a, s00); s10 = dot(x, b, s10);
      x = v128.load32_splat(at, 4); s01 = dot(x, a, s01); s11 = dot(x, b, s11);
      x = v128.load32_splat(at, 8); s02 = dot(x, a, s02); s12 = dot(x, b, s12);
      x = v128.load32_splat(at, 12); s03 = dot(x, a, s03); s13 = dot(x, b, s13);
      at0 += 16; at1 += 16;
    }
    const scales = v128.load(end);
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
 * sums [4,columns] += weights [4·quads,4] transposed · the values of quads at `places`, where weights are
 * e^(scores − shifts), which are also added to the four at `total`. Each weight is multiplied by its row's
 * scale, and these products are rounded to bytes for the block together.
 */
export function addByteValues(
  scores: usize, shifts: usize, values: usize, stride: usize, places: usize, quads: i32, valueDim: i32,
  offset: i32, bytes: usize, sums: usize, columns: i32, total: usize,
): void {
  const shift = v128.load(shifts);
  let weights = f32x4.splat(0), largest = weights;
  for (let j: usize = 0; j < <usize>quads; j++) {
    const scales = values + <usize>load<i32>(places + (j << 2)) * stride;
    for (let row: usize = 0; row < 16; row += 4) {
      const at = scores + (j << 6) + (row << 2);
      const p = exp4(f32x4.sub(v128.load(at), shift));
      weights = f32x4.add(weights, p);
      // The scale of a row that nobody has written may be no number, but its weight is 0.
      const scaled = v128.and(
        f32x4.mul(p, v128.load32_splat(scales + row)), f32x4.ne(p, f32x4.splat(0)),
      );
      v128.store(at, scaled);
      largest = f32x4.pmax(largest, scaled);
    }
  }
  v128.store(total, f32x4.add(v128.load(total), weights));
  const step = f32x4.mul(largest, f32x4.splat(<f32>(1.0 / 127)));
  const isSome = f32x4.gt(step, f32x4.splat(1e-30));
  const inverse = v128.and(f32x4.div(f32x4.splat(1), step), isSome);
  const round = v128.load(rounding);
  let whole = i32x4.splat(0);
  for (let j: usize = 0; j < <usize>quads; j++) {
    const at = scores + (j << 6);
    const a = rounded(v128.load(at), inverse, round), b = rounded(v128.load(at, 16), inverse, round);
    const c = rounded(v128.load(at, 32), inverse, round), d = rounded(v128.load(at, 48), inverse, round);
    whole = i32x4.add(whole, i32x4.add(i32x4.add(a, b), i32x4.add(c, d)));
    const all = i8x16.narrow_i16x8_s(i16x8.narrow_i32x4_s(a, b), i16x8.narrow_i32x4_s(c, d));
    const own = v128.shuffle<i8>(all, all, 0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    v128.store(bytes + (j << 4), own);
  }
  const start = i32x4.mul(whole, i32x4.splat(-offset));
  const used = v128.and(step, isSome);
  for (let i = 0; i < valueDim; i += 8) {
    addEightColumns(
      bytes, values + quadScaleBytes + (<usize>i << 2), stride, places, quads, start, used,
      sums + (<usize>i << 2), <usize>columns << 2,
    );
  }
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
