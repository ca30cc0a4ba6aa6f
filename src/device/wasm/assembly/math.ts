// Exponential and logarithm by range reduction and a polynomial (minimax, fitted for these intervals).
import { madd } from './simd';

// In memory, because V8 makes a constant vector anew with three instructions wherever it is used, and
// then an exponential takes twice as long.
const exponential = memory.data<f32>([
  88.72, -87.33, 1.44269504, 12582912, -0.693359375, 2.12194440e-4, 1,
  0.49999993373, 0.16666519524, 0.0416684011, 0.00836885107, 0.00138143207,
], 16);

// @ts-ignore: decorator
@inline
function constant(index: usize): v128 {
  return v128.load32_splat(exponential + (index << 2));
}

/**
 * e^x on four lanes, within two units in the last place. 0 below −87.33, where f32 becomes subnormal;
 * the largest f32 from 88.72 on; NaN stays NaN.
 */
// @ts-ignore: decorator
@inline
export function exp4(x: v128): v128 {
  const bounded = f32x4.pmin(x, constant(0));
  // Adding 1.5·2²³ rounds x/ln 2 to an integer n, then in the low bits, ready to become an exponent.
  const shift = constant(3);
  const shifted = madd(bounded, constant(2), shift);
  const n = f32x4.sub(shifted, shift);
  // ln 2 in two parts, the first with so few bits that n times it is exact.
  const r = madd(n, constant(5), madd(n, constant(4), bounded));
  let p = madd(r, constant(11), constant(10));
  p = madd(r, p, constant(9));
  p = madd(r, p, constant(8));
  p = madd(r, p, constant(7));
  p = f32x4.add(madd(f32x4.mul(r, r), p, r), constant(6));
  const scaled = i32x4.add(p, i32x4.shl(shifted, 23));
  return v128.andnot(scaled, f32x4.lt(x, constant(1)));
}

/**
 * x = e^(x − shift) for the eight numbers at `x`; returns the sum of their two vectors. As `exp4`, but
 * x − shift must be below 88. Two vectors share each constant that is loaded.
 */
// @ts-ignore: decorator
@inline
export function exponentiate8(x: usize, shift: v128): v128 {
  const a = f32x4.sub(v128.load(x), shift);
  const b = f32x4.sub(v128.load(x, 16), shift);
  const toInteger = constant(3);
  let c = constant(2);
  const aShifted = madd(a, c, toInteger);
  const bShifted = madd(b, c, toInteger);
  const aN = f32x4.sub(aShifted, toInteger);
  const bN = f32x4.sub(bShifted, toInteger);
  c = constant(4);
  let aR = madd(aN, c, a);
  let bR = madd(bN, c, b);
  c = constant(5);
  aR = madd(aN, c, aR);
  bR = madd(bN, c, bR);
  c = constant(10);
  const highest = constant(11);
  let aP = madd(aR, highest, c);
  let bP = madd(bR, highest, c);
  c = constant(9);
  aP = madd(aR, aP, c);
  bP = madd(bR, bP, c);
  c = constant(8);
  aP = madd(aR, aP, c);
  bP = madd(bR, bP, c);
  c = constant(7);
  aP = madd(aR, aP, c);
  bP = madd(bR, bP, c);
  c = constant(6);
  aP = f32x4.add(madd(f32x4.mul(aR, aR), aP, aR), c);
  bP = f32x4.add(madd(f32x4.mul(bR, bR), bP, bR), c);
  c = constant(1);
  const aResult = v128.andnot(i32x4.add(aP, i32x4.shl(aShifted, 23)), f32x4.lt(a, c));
  const bResult = v128.andnot(i32x4.add(bP, i32x4.shl(bShifted, 23)), f32x4.lt(b, c));
  v128.store(x, aResult);
  v128.store(x, bResult, 16);
  return f32x4.add(aResult, bResult);
}

/** 1/(1 + e^−x) on four lanes. */
// @ts-ignore: decorator
@inline
export function sigmoid4(x: v128): v128 {
  const one = f32x4.splat(1);
  return f32x4.div(one, f32x4.add(one, exp4(f32x4.neg(x))));
}

const exponential64 = memory.data<f64>([
  708, -708, 1.4426950408889634, 6755399441055744, // 1.5·2⁵²
  0.693147180369123816490, 1.90821492927058770002e-10, 1,
  0.500000000000001083, 0.166666666666664077, 0.0416666666665281038, 0.00833333333349692366,
  0.00138888889442491953, 0.000198412695027409214, 0.0000248014923882857594,
  2.75575884212665147e-6, 2.76305234698564971e-7, 2.49998582797956058e-8,
], 16);

// @ts-ignore: decorator
@inline
function constant64(index: usize): v128 {
  return v128.load64_splat(exponential64 + (index << 3));
}

/** e^x on two f64 lanes to nearly full precision, by the same way, with x limited to ±708. */
// @ts-ignore: decorator
@inline
export function exp2x64(x: v128): v128 {
  const bounded = f64x2.pmax(f64x2.pmin(x, constant64(0)), constant64(1));
  const shift = constant64(3);
  const shifted = f64x2.add(f64x2.mul(bounded, constant64(2)), shift);
  const n = f64x2.sub(shifted, shift);
  let r = f64x2.sub(bounded, f64x2.mul(n, constant64(4)));
  r = f64x2.sub(r, f64x2.mul(n, constant64(5)));
  let p = f64x2.add(f64x2.mul(constant64(16), r), constant64(15));
  p = f64x2.add(f64x2.mul(p, r), constant64(14));
  p = f64x2.add(f64x2.mul(p, r), constant64(13));
  p = f64x2.add(f64x2.mul(p, r), constant64(12));
  p = f64x2.add(f64x2.mul(p, r), constant64(11));
  p = f64x2.add(f64x2.mul(p, r), constant64(10));
  p = f64x2.add(f64x2.mul(p, r), constant64(9));
  p = f64x2.add(f64x2.mul(p, r), constant64(8));
  p = f64x2.add(f64x2.mul(p, r), constant64(7));
  p = f64x2.add(constant64(6), f64x2.add(r, f64x2.mul(f64x2.mul(r, r), p)));
  return i64x2.add(p, i64x2.shl(shifted, 52));
}

/** e^x in f64. */
export function exp64(x: f64): f64 {
  return f64x2.extract_lane(exp2x64(f64x2.splat(x)), 0);
}

/** 1/(1 + e^−x) in f64. */
// @ts-ignore: decorator
@inline
export function sigmoid64(x: f64): f64 {
  return 1 / (1 + exp64(-x));
}

/** Natural logarithm of a positive, normal f64, to nearly full precision; −∞ for 0, NaN for NaN. */
export function log64(x: f64): f64 {
  if (x == 0) return -Infinity;
  if (!(x < Infinity)) return x;
  // x = 2^exponent·m with m in [√½, √2).
  const bits = reinterpret<i64>(x);
  const exponent = (bits - 0x3fe6a09e667f3bcd) >> 52;
  const m = reinterpret<f64>(bits - (exponent << 52));
  // log m = 2·artanh(s), s = (m−1)/(m+1), |s| < 0.172.
  const s = (m - 1) / (m + 1);
  const q = s * s;
  let p: f64 = 1.0 / 19;
  p = p * q + 1.0 / 17;
  p = p * q + 1.0 / 15;
  p = p * q + 1.0 / 13;
  p = p * q + 1.0 / 11;
  p = p * q + 1.0 / 9;
  p = p * q + 1.0 / 7;
  p = p * q + 1.0 / 5;
  p = p * q + 1.0 / 3;
  return <f64>exponent * 0.6931471805599453 + 2 * (s + s * q * p);
}

/** The largest of the four lanes, in all lanes. */
// @ts-ignore: decorator
@inline
export function spreadLargest(v: v128): v128 {
  const pairs = f32x4.pmax(v, v128.shuffle<f32>(v, v, 2, 3, 0, 1));
  return f32x4.pmax(pairs, v128.shuffle<f32>(pairs, pairs, 1, 0, 3, 2));
}

/** The two f64 sums of lanes 0+2 and 1+3 of the products a·b: exact products, sums without f32 error. */
// @ts-ignore: decorator
@inline
export function addProducts64(sum: v128, a: v128, b: v128): v128 {
  const high = v128.shuffle<i32>(a, a, 2, 3, 2, 3);
  const otherHigh = v128.shuffle<i32>(b, b, 2, 3, 2, 3);
  const low = f64x2.mul(f64x2.promote_low_f32x4(a), f64x2.promote_low_f32x4(b));
  const rest = f64x2.mul(f64x2.promote_low_f32x4(high), f64x2.promote_low_f32x4(otherHigh));
  return f64x2.add(sum, f64x2.add(low, rest));
}

/**
 * The sum of the squares of `bytes` of f32, in f64. One sum would wait for every addition; four take turns.
 */
export function sumOfSquares64(x: usize, bytes: usize): f64 {
  let a = f64x2.splat(0), b = a, c = a, d = a;
  let i: usize = 0;
  for (; i + 64 <= bytes; i += 64) {
    let v = v128.load(x + i); a = addProducts64(a, v, v);
    v = v128.load(x + i, 16); b = addProducts64(b, v, v);
    v = v128.load(x + i, 32); c = addProducts64(c, v, v);
    v = v128.load(x + i, 48); d = addProducts64(d, v, v);
  }
  let sum = sumLanes64(f64x2.add(f64x2.add(a, b), f64x2.add(c, d)));
  for (; i < bytes; i += 4) {
    const v = <f64>load<f32>(x + i);
    sum += v * v;
  }
  return sum;
}

/** The sum of two f64 lanes. */
// @ts-ignore: decorator
@inline
export function sumLanes64(v: v128): f64 {
  return f64x2.extract_lane(v, 0) + f64x2.extract_lane(v, 1);
}
