// Moving rows from tokens to the experts that work on them, and back.
import { addProducts64, sumLanes64 } from './math';
import { madd } from './simd';

/** A counting sort of all `slots`, by one thread: it is a few operations a slot. Uses one item. */
export function groupByExpert(
  chosen: usize, offsets: usize, tokens: usize, rows: usize,
  slots: i32, experts: i32, perToken: i32, _begin: i32, _end: i32, _thread: i32,
): void {
  memory.fill(offsets, 0, (<usize>(experts + 1)) << 2);
  for (let slot: usize = 0; slot < <usize>slots; slot++) {
    const count = offsets + ((<usize>load<i32>(chosen + (slot << 2))) << 2);
    store<i32>(count, load<i32>(count) + 1);
  }
  // While rows are handed out, offsets[e] is the next row of expert e; at the end it is the first row of
  // expert e + 1, so that moving all by one place gives the offsets.
  let total = 0;
  for (let e: usize = 0; e < <usize>experts; e++) {
    const count = load<i32>(offsets + (e << 2));
    store<i32>(offsets + (e << 2), total);
    total += count;
  }
  let token = 0;
  let left = perToken;
  for (let slot: usize = 0; slot < <usize>slots; slot++) {
    const next = offsets + ((<usize>load<i32>(chosen + (slot << 2))) << 2);
    const row = load<i32>(next);
    store<i32>(next, row + 1);
    store<i32>(rows + (slot << 2), row);
    store<i32>(tokens + ((<usize>row) << 2), token);
    if (--left == 0) {
      token++;
      left = perToken;
    }
  }
  memory.copy(offsets + 4, offsets, (<usize>experts) << 2);
  store<i32>(offsets, 0);
}

/** Items are tokens: out = Σ_j weights[t,j]·source[rows[t,j]]; weights of 1 if `weights` is 0. */
export function combineRows(
  source: usize, rows: usize, weights: usize, out: usize, columns: i32, perToken: i32,
  begin: i32, end: i32, _thread: i32,
): void {
  const rowBytes = (<usize>columns) << 2;
  const slotBytes = (<usize>perToken) << 2;
  const one = f32x4.splat(1);
  for (let t = <usize>begin; t < <usize>end; t++) {
    const own = t * slotBytes;
    const to = out + t * rowBytes;
    let i: usize = 0;
    for (; i + 16 <= rowBytes; i += 16) {
      let sum = f32x4.splat(0);
      for (let j = own; j < own + slotBytes; j += 4) {
        const from = source + <usize>load<i32>(rows + j) * rowBytes;
        sum = madd(weights ? v128.load32_splat(weights + j) : one, v128.load(from + i), sum);
      }
      v128.store(to + i, sum);
    }
    for (; i < rowBytes; i += 4) {
      let sum: f32 = 0;
      for (let j = own; j < own + slotBytes; j += 4) {
        const from = source + <usize>load<i32>(rows + j) * rowBytes;
        sum += (weights ? load<f32>(weights + j) : 1) * load<f32>(from + i);
      }
      store<f32>(to + i, sum);
    }
  }
}

/** Items are tokens. */
export function combineRowsBackward(
  source: usize, rows: usize, weights: usize, dOut: usize, dSource: usize, dWeights: usize,
  columns: i32, perToken: i32, begin: i32, end: i32, _thread: i32,
): void {
  const rowBytes = (<usize>columns) << 2;
  const slotBytes = (<usize>perToken) << 2;
  for (let t = <usize>begin; t < <usize>end; t++) {
    const gradient = dOut + t * rowBytes;
    for (let j = t * slotBytes; j < (t + 1) * slotBytes; j += 4) {
      const offset = <usize>load<i32>(rows + j) * rowBytes;
      const weight = load<f32>(weights + j);
      const splat = f32x4.splat(weight);
      let dots = f64x2.splat(0);
      let i: usize = 0;
      for (; i + 16 <= rowBytes; i += 16) {
        const g = v128.load(gradient + i);
        dots = addProducts64(dots, g, v128.load(source + offset + i));
        v128.store(dSource + offset + i, f32x4.mul(splat, g));
      }
      let dot = sumLanes64(dots);
      for (; i < rowBytes; i += 4) {
        const g = load<f32>(gradient + i);
        dot += <f64>g * <f64>load<f32>(source + offset + i);
        store<f32>(dSource + offset + i, weight * g);
      }
      store<f32>(dWeights + j, <f32>dot);
    }
  }
}
