// Rotary position embedding: items are rows, each with its row of the table of cosines and sines.
import { madd } from './simd';

/** `direction` is 1, or −1 to rotate back. */
export function rotary(
  x: usize, out: usize, cos: usize, sin: usize, heads: i32, headDim: i32, rotaryDim: i32,
  direction: f32, begin: i32, end: i32, _thread: i32,
): void {
  const headBytes = (<usize>headDim) << 2;
  const rotaryBytes = (<usize>rotaryDim) << 2;
  const half = rotaryBytes >> 1;
  const vectorBytes = half & ~15;
  const directions = f32x4.splat(direction);
  for (let t = <usize>begin; t < <usize>end; t++) {
    const cosines = cos + t * half;
    const sines = sin + t * half;
    for (let head = t * <usize>heads; head < (t + 1) * <usize>heads; head++) {
      const from = x + head * headBytes;
      const to = out + head * headBytes;
      let i: usize = 0;
      for (; i < vectorBytes; i += 16) {
        const c = v128.load(cosines + i);
        const s = f32x4.mul(v128.load(sines + i), directions);
        const first = v128.load(from + i);
        const second = v128.load(from + half + i);
        v128.store(to + i, f32x4.sub(f32x4.mul(first, c), f32x4.mul(second, s)));
        v128.store(to + half + i, madd(first, s, f32x4.mul(second, c)));
      }
      for (; i < half; i += 4) {
        const c = load<f32>(cosines + i);
        const s = load<f32>(sines + i) * direction;
        const first = load<f32>(from + i);
        const second = load<f32>(from + half + i);
        store<f32>(to + i, first * c - second * s);
        store<f32>(to + half + i, second * c + first * s);
      }
      if (out == x) continue;
      for (i = rotaryBytes; i + 16 <= headBytes; i += 16) v128.store(to + i, v128.load(from + i));
      for (; i < headBytes; i += 4) store<f32>(to + i, load<f32>(from + i));
    }
  }
}
