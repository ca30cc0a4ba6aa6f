// Rows of activations as products with quantised weights want them: bytes, in groups of 32 with a scale
// each, as llama.cpp has them. Norm first, if any.
import { sumOfSquares64 } from '../math';
import { gatherRow } from './gather';
import { activationBytes, dot } from './tile';
import { floats } from './units';

// 1.5·2²³: adding it rounds to an integer, which is then in the low bits.
const rounding = memory.data<f32>([12582912, 12582912, 12582912, 12582912], 16);

/** What is smaller counts as 0: its inverse would not be a number. */
const least: f32 = 1e-30;

/**
 * Items are rows of x [T,columns], or those that `rows` numbers if it is not 0, of which −1 is a row of
 * zeros. With n = rmsNorm(x)·norm, or x itself if `norm` is 0: n is written to `normed` [T,columns], which
 * may be x if there is no norm, and quantised to `packed` unless that is 0: numbers, a scale for each
 * group, and what the integer sum of each group begins at: −offset times the sum of its numbers, because
 * the weights are stored with `offset` added.
 */
export function prepareActivations(
  x: usize, rows: usize, norm: usize, epsilon: f64, normed: usize, packed: usize, columns: i32,
  offset: i32, begin: i32, end: i32, _thread: i32,
): void {
  const rowBytes = (<usize>columns) << 2;
  const packedBytes = activationBytes(<usize>columns);
  for (let t = <usize>begin; t < <usize>end; t++) {
    const row = rows ? load<i32>(rows + (t << 2)) : <i32>t;
    let from = x + <usize>row * rowBytes;
    if (norm) {
      const to = normed + t * rowBytes;
      if (row < 0) memory.fill(to, 0, rowBytes);
      else normalize(from, norm, epsilon, to, rowBytes);
      from = to;
    }
    if (packed) quantize(from, packed + t * packedBytes, <usize>columns, offset);
  }
}

/**
 * The same with rows of two tables side by side, each by its own norm: rows aRows[t] of the first, in
 * `format` and stored with `tableOffset` added, and bRows[t] of the second, in f32.
 */
export function joinActivations(
  aTable: usize, format: i32, tableOffset: i32, aRows: usize, aNorm: usize, aColumns: i32,
  bTable: usize, bRows: usize, bNorm: usize, bColumns: i32, epsilon: f64, normed: usize,
  packed: usize, offset: i32, begin: i32, end: i32, _thread: i32,
): void {
  const columns = aColumns + bColumns;
  const aBytes = (<usize>aColumns) << 2, bBytes = (<usize>bColumns) << 2;
  for (let t = <usize>begin; t < <usize>end; t++) {
    const a = normed + t * (aBytes + bBytes), b = a + aBytes;
    gatherRow(aTable, load<i32>(aRows + (t << 2)), aColumns, format, tableOffset, a);
    gatherRow(bTable, load<i32>(bRows + (t << 2)), bColumns, floats, 0, b);
    normalize(a, aNorm, epsilon, a, aBytes);
    normalize(b, bNorm, epsilon, b, bBytes);
    if (packed) quantize(a, packed + t * activationBytes(<usize>columns), <usize>columns, offset);
  }
}

/** As `rmsNorm`; `out` may be `x`. */
function normalize(x: usize, weight: usize, epsilon: f64, out: usize, bytes: usize): void {
  const vectorBytes = bytes & ~15;
  const mean = sumOfSquares64(x, bytes) / <f64>(bytes >> 2);
  const factor = <f32>(1 / Math.sqrt(mean + epsilon));
  const factors = f32x4.splat(factor);
  let i: usize = 0;
  for (; i < vectorBytes; i += 16) {
    const scaled = f32x4.mul(v128.load(x + i), factors);
    v128.store(out + i, f32x4.mul(scaled, v128.load(weight + i)));
  }
  for (; i < bytes; i += 4) {
    store<f32>(out + i, load<f32>(x + i) * factor * load<f32>(weight + i));
  }
}

function quantize(x: usize, out: usize, columns: usize, offset: i32): void {
  let scale = out + columns;
  const toStart = columns >> 3;
  const round = v128.load(rounding);
  for (const end = out + columns; out < end; out += 32) {
    let a = f32x4.abs(v128.load(x)), b = f32x4.abs(v128.load(x, 16));
    for (let i: usize = 32; i < 128; i += 32) {
      a = f32x4.pmax(a, f32x4.abs(v128.load(x + i)));
      b = f32x4.pmax(b, f32x4.abs(v128.load(x + i, 16)));
    }
    a = f32x4.pmax(a, b);
    a = f32x4.pmax(a, v128.shuffle<f32>(a, a, 2, 3, 0, 1));
    const largest = max(f32x4.extract_lane(a, 0), f32x4.extract_lane(a, 1));
    const step = largest > least ? largest / 127 : 0;
    const inverse = f32x4.splat(step > 0 ? 1 / step : 0);
    let sums = i32x4.splat(0);
    for (let half: usize = 0; half < 32; half += 16) {
      const n0 = integers(x, inverse, round), n1 = integers(x + 16, inverse, round);
      const n2 = integers(x + 32, inverse, round), n3 = integers(x + 48, inverse, round);
      sums = i32x4.add(sums, i32x4.add(i32x4.add(n0, n1), i32x4.add(n2, n3)));
      const low = i16x8.narrow_i32x4_s(n0, n1), high = i16x8.narrow_i32x4_s(n2, n3);
      v128.store(out + half, i8x16.narrow_i16x8_s(low, high));
      x += 64;
    }
    sums = i32x4.add(sums, v128.shuffle<i32>(sums, sums, 2, 3, 0, 1));
    const sum = i32x4.extract_lane(sums, 0) + i32x4.extract_lane(sums, 1);
    store<f32>(scale, step);
    store<i32>(scale + toStart, -offset * sum);
    scale += 4;
  }
}

// @ts-ignore: decorator
@inline
function integers(x: usize, inverse: v128, round: v128): v128 {
  return i32x4.sub(f32x4.add(f32x4.mul(v128.load(x), inverse), round), round);
}

/** Writes 4·127·b, where b is what the machine takes a byte of ones for: see kernels of the host. */
export function dotOfBytes(out: usize, _begin: i32, _end: i32, _thread: i32): void {
  const sums = dot(i8x16.splat(127), i8x16.splat(-1), i32x4.splat(0));
  store<i32>(out, i32x4.extract_lane(sums, 0));
}
