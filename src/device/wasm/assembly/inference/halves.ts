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
    const to = out + ((<usize>index * <usize>columns) << 1);
    for (let i: usize = 0; i < <usize>columns; i++) {
      store<u16>(to + (i << 1), toHalf(load<f32>(from + (i << 2))));
    }
  }
}

/** To the nearest, ties to even; what is too large becomes the largest half. */
function toHalf(x: f32): u16 {
  const bits = reinterpret<u32>(x);
  const sign = (bits >> 16) & 0x8000;
  const magnitude = min(reinterpret<f32>(bits & 0x7fffffff), 65504);
  if (magnitude >= 6.103515625e-5) {
    const rounded = reinterpret<u32>(magnitude) - (112 << 23);
    return <u16>(sign | ((rounded + 0xfff + ((rounded >> 13) & 1)) >> 13));
  }
  // A subnormal counts steps of 2⁻²⁴; adding 1.5·2²³ rounds.
  const steps = magnitude * 16777216 + 12582912;
  return <u16>(sign | (reinterpret<u32>(steps) & 0x7ff));
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
  for (let at = x + (<usize>begin << 2); at < last; at += 4) {
    store<f32>(at, fromHalf(toHalf(load<f32>(at))));
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
