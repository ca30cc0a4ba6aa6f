// Root-mean-square norm. Sums along a row are in f64; sums down the rows go through partial sums of
// fixed blocks of rows, so that they do not depend on the threads.
import { madd } from './simd';
import { addProducts64, sumLanes64, sumOfSquares64 } from './math';

export function rmsNorm(
  x: usize, weight: usize, out: usize, inverseRms: usize, columns: i32, epsilon: f64,
  begin: i32, end: i32, _thread: i32,
): void {
  const rowBytes = (<usize>columns) << 2;
  const vectorBytes = rowBytes & ~15;
  for (let t = <usize>begin; t < <usize>end; t++) {
    const from = x + t * rowBytes;
    const to = out + t * rowBytes;
    const mean = sumOfSquares64(from, rowBytes) / <f64>columns;
    const factor = <f32>(1 / Math.sqrt(mean + epsilon));
    store<f32>(inverseRms + (t << 2), factor);
    const factors = f32x4.splat(factor);
    let i: usize = 0;
    for (; i < vectorBytes; i += 16) {
      const scaled = f32x4.mul(v128.load(from + i), factors);
      v128.store(to + i, f32x4.mul(scaled, v128.load(weight + i)));
    }
    for (; i < rowBytes; i += 4) {
      store<f32>(to + i, load<f32>(from + i) * factor * load<f32>(weight + i));
    }
  }
}

/**
 * Items are blocks of `blockRows` rows. With g = dOut·weight: dX = r·g − r³·x·mean(g·x). If `partial`
 * is not 0, block b's Σ dOut·x·r is written to row b of it [blocks, columns].
 */
export function rmsNormBackward(
  x: usize, weight: usize, inverseRms: usize, dOut: usize, dX: usize, partial: usize,
  rows: i32, columns: i32, blockRows: i32,
  begin: i32, end: i32, _thread: i32,
): void {
  const rowBytes = (<usize>columns) << 2;
  const vectorBytes = rowBytes & ~15;
  for (let block = begin; block < end; block++) {
    const sums = partial + <usize>block * rowBytes;
    if (partial) memory.fill(sums, 0, rowBytes);
    const last = <usize>min((block + 1) * blockRows, rows);
    for (let t = <usize>(block * blockRows); t < last; t++) {
      const from = x + t * rowBytes;
      const gradient = dOut + t * rowBytes;
      const to = dX + t * rowBytes;
      const r = load<f32>(inverseRms + (t << 2));
      const rs = f32x4.splat(r);
      let dots = f64x2.splat(0);
      let i: usize = 0;
      for (; i < vectorBytes; i += 16) {
        const g = v128.load(gradient + i);
        const v = v128.load(from + i);
        dots = addProducts64(dots, f32x4.mul(g, v128.load(weight + i)), v);
        if (partial) v128.store(sums + i, madd(f32x4.mul(g, v), rs, v128.load(sums + i)));
      }
      let dot = sumLanes64(dots);
      for (; i < rowBytes; i += 4) {
        const g = load<f32>(gradient + i);
        const v = load<f32>(from + i);
        dot += <f64>g * <f64>load<f32>(weight + i) * <f64>v;
        if (partial) store<f32>(sums + i, load<f32>(sums + i) + g * v * r);
      }
      const back = (<f64>r * <f64>r * <f64>r * dot) / -<f64>columns;
      const backs = f32x4.splat(<f32>back);
      for (i = 0; i < vectorBytes; i += 16) {
        const g = f32x4.mul(v128.load(gradient + i), v128.load(weight + i));
        v128.store(to + i, madd(g, rs, f32x4.mul(v128.load(from + i), backs)));
      }
      for (; i < rowBytes; i += 4) {
        // In f64, because in rows of one or two elements nearly all of it cancels.
        const g = <f64>load<f32>(gradient + i) * <f64>load<f32>(weight + i);
        store<f32>(to + i, <f32>(g * <f64>r + <f64>load<f32>(from + i) * back));
      }
    }
  }
}

/** Items are columns: out += the sum of the rows of `partial` [rows, columns], in f64. */
export function addColumnSums(
  partial: usize, out: usize, rows: i32, columns: i32,
  begin: i32, end: i32, _thread: i32,
): void {
  const rowBytes = (<usize>columns) << 2;
  for (let column = begin; column < end; column++) {
    const offset = (<usize>column) << 2;
    let sum: f64 = 0;
    for (let row = 0; row < rows; row++) {
      sum += <f64>load<f32>(partial + offset + <usize>row * rowBytes);
    }
    store<f32>(out + offset, <f32>(<f64>load<f32>(out + offset) + sum));
  }
}
