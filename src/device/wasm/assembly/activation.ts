// SwiGLU. Items are elements; the tail of a range goes through a vector of its own, so that every
// element is computed by the same arithmetic wherever a range ends.
import { madd } from './simd';
import { sigmoid4 } from './math';

// @ts-ignore: decorator
@inline
function activate(gate: v128, up: v128): v128 {
  return f32x4.mul(f32x4.mul(gate, sigmoid4(gate)), up);
}

export function swiglu(
  gate: usize, up: usize, out: usize, begin: i32, end: i32, _thread: i32,
): void {
  let i = (<usize>begin) << 2;
  const last = (<usize>end) << 2;
  for (; i + 16 <= last; i += 16) {
    v128.store(out + i, activate(v128.load(gate + i), v128.load(up + i)));
  }
  for (; i < last; i += 4) {
    const result = activate(v128.load32_splat(gate + i), v128.load32_splat(up + i));
    store<f32>(out + i, f32x4.extract_lane(result, 0));
  }
}

// d silu(g)/dg = s·(1 + g·(1 − s)), s = sigmoid(g).
// @ts-ignore: decorator
@inline
function gateGradient(gate: v128, up: v128, dOut: v128, s: v128): v128 {
  const one = f32x4.splat(1);
  const slope = f32x4.mul(s, madd(gate, f32x4.sub(one, s), one));
  return f32x4.mul(f32x4.mul(dOut, up), slope);
}

export function swigluBackward(
  gate: usize, up: usize, dOut: usize, dGate: usize, dUp: usize,
  begin: i32, end: i32, _thread: i32,
): void {
  let i = (<usize>begin) << 2;
  const last = (<usize>end) << 2;
  for (; i + 16 <= last; i += 16) {
    const g = v128.load(gate + i);
    const d = v128.load(dOut + i);
    const s = sigmoid4(g);
    v128.store(dGate + i, gateGradient(g, v128.load(up + i), d, s));
    v128.store(dUp + i, f32x4.mul(d, f32x4.mul(g, s)));
  }
  for (; i < last; i += 4) {
    const g = v128.load32_splat(gate + i);
    const d = v128.load32_splat(dOut + i);
    const s = sigmoid4(g);
    const toGate = gateGradient(g, v128.load32_splat(up + i), d, s);
    store<f32>(dGate + i, f32x4.extract_lane(toGate, 0));
    store<f32>(dUp + i, f32x4.extract_lane(f32x4.mul(d, f32x4.mul(g, s)), 0));
  }
}
