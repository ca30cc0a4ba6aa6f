// Rows of f32 into a cache of f16, and back.
import { raised } from './cached-tiles';

/** Items are rows: out[indices[t]] = source[t] rounded to f16, for every index ≥ 0. */
export function writeHalfRows(
  source: usize, indices: usize, out: usize, columns: i32, begin: i32, end: i32, _thread: i32,
): void {
  for (let t = <usize>begin; t < <usize>end; t++) {
    const index = load<i32>(indices + (t << 2));
    if (index < 0) continue;
    const from = source + ((t * <usize>columns) << 2);
    writeHalves(from, out + ((<usize>index * <usize>columns) << 1), columns);
  }
}

/** `count` numbers, a multiple of 8 as heads are, rounded to f16. */
export function writeHalves(from: usize, to: usize, count: i32): void {
  for (const end = to + (<usize>count << 1); to < end; to += 16) {
    const low = toHalves(v128.load(from)), high = toHalves(v128.load(from, 16));
    v128.store(to, i16x8.narrow_i32x4_u(low, high));
    from += 32;
  }
}

/** Four to the nearest, ties to even, in words; what is too large becomes the largest half. */
// @ts-ignore: decorator
@inline
function toHalves(x: v128): v128 {
  const sign = v128.and(i32x4.shr_u(x, 16), i32x4.splat(0x8000));
  const magnitude = f32x4.min(f32x4.abs(x), f32x4.splat(65504));
  const moved = i32x4.sub(magnitude, i32x4.splat(112 << 23));
  const even = v128.and(i32x4.shr_u(moved, 13), i32x4.splat(1));
  const normal = i32x4.shr_u(i32x4.add(i32x4.add(moved, i32x4.splat(0xfff)), even), 13);
  // A subnormal counts steps of 2⁻²⁴; adding 1.5·2²³ rounds.
  const steps = f32x4.add(f32x4.mul(magnitude, f32x4.splat(16777216)), f32x4.splat(12582912));
  const isNormal = f32x4.ge(magnitude, f32x4.splat(6.103515625e-5));
  const subnormal = v128.and(steps, i32x4.splat(0x7ff));
  return v128.or(sign, v128.bitselect(normal, subnormal, isNormal));
}

// Exponent and mantissa in their places are 2¹¹² times too small.
// @ts-ignore: decorator
@inline
function fromHalf(half: u32): f32 {
  const magnitude = reinterpret<f32>((half & 0x7fff) << 13) * raised;
  return half & 0x8000 ? -magnitude : magnitude;
}

/** Items are numbers: x in its place rounded as by `writeHalfRows`. */
export function roundToHalves(x: usize, begin: i32, end: i32, _thread: i32): void {
  const last = x + (<usize>end << 2);
  let at = x + (<usize>begin << 2);
  for (; at + 16 <= last; at += 16) {
    const v = v128.load(at);
    const words = i32x4.shl(v128.and(toHalves(v), i32x4.splat(0x7fff)), 13);
    const sign = v128.and(v, i32x4.splat(0x80000000));
    v128.store(at, v128.or(f32x4.mul(words, f32x4.splat(raised)), sign));
  }
  for (; at < last; at += 4) {
    store<f32>(at, fromHalf(i32x4.extract_lane(toHalves(v128.load32_splat(at)), 0)));
  }
}

/** Items are rows: out [n,columns] = the rows of a cache of f16 at `places` i32 [n]. */
export function expandHalfRows(
  cache: usize, places: usize, out: usize, columns: i32, begin: i32, end: i32, _thread: i32,
): void {
  for (let t = <usize>begin; t < <usize>end; t++) {
    const from = cache + <usize>load<i32>(places + (t << 2)) * (<usize>columns << 1);
    const to = out + t * (<usize>columns << 2);
    for (let i: usize = 0; i < <usize>columns; i++) {
      store<f32>(to + (i << 2), fromHalf(load<u16>(from + (i << 1))));
    }
  }
}
