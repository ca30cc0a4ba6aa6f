// Log-probabilities, entropy and their gradient over rows of logits. Items are rows. Sums are kept in
// f32 over 128 columns and in f64 beyond.
import { sumLanes, madd } from './simd';
import { exp4, log64, spreadLargest } from './math';

// @ts-ignore: decorator
@inline
function largestOf(row: usize, columns: i32): f32 {
  const last = row + ((<usize>columns) << 2);
  let at = row;
  let largest: f32 = -Infinity;
  if (columns >= 8) {
    let a = v128.load(at);
    let b = v128.load(at, 16);
    for (at += 32; at + 32 <= last; at += 32) {
      a = f32x4.pmax(a, v128.load(at));
      b = f32x4.pmax(b, v128.load(at, 16));
    }
    largest = f32x4.extract_lane(spreadLargest(f32x4.pmax(a, b)), 0);
  }
  for (; at < last; at += 4) largest = max(largest, load<f32>(at));
  return largest;
}

/**
 * With d = x − max: logSumExp = max + log Σe^d, and the entropy −Σ p·log p = log Σe^d − Σ d·e^d / Σe^d.
 */
export function tokenLogprobs(
  logits: usize, targets: usize, logProbability: usize, entropy: usize, logSumExp: usize,
  columns: i32, begin: i32, end: i32, _thread: i32,
): void {
  const rowBytes = (<usize>columns) << 2;
  for (let t = <usize>begin; t < <usize>end; t++) {
    const row = logits + t * rowBytes;
    const last = row + rowBytes;
    const largest = largestOf(row, columns);
    const largests = f32x4.splat(largest);
    // A logit of −∞ has probability 0; the bound keeps 0·∞ out of the entropy.
    const lowest = f32x4.splat(-1e4);
    let sum: f64 = 0;
    let mean: f64 = 0;
    let at = row;
    while (at + 16 <= last) {
      const pause = min(last, at + 512);
      let sums = f32x4.splat(0);
      let means = f32x4.splat(0);
      for (; at + 16 <= pause; at += 16) {
        const d = f32x4.pmax(f32x4.sub(v128.load(at), largests), lowest);
        const e = exp4(d);
        sums = f32x4.add(sums, e);
        means = madd(d, e, means);
      }
      sum += <f64>sumLanes(sums);
      mean += <f64>sumLanes(means);
    }
    for (; at < last; at += 4) {
      const d = f32x4.pmax(f32x4.sub(v128.load32_splat(at), largests), lowest);
      const e = exp4(d);
      sum += <f64>f32x4.extract_lane(e, 0);
      mean += <f64>(f32x4.extract_lane(e, 0) * f32x4.extract_lane(d, 0));
    }
    const logSum = log64(sum);
    const total = <f64>largest + logSum;
    const offset = t << 2;
    store<f32>(logSumExp + offset, <f32>total);
    store<f32>(entropy + offset, <f32>(logSum - mean / sum));
    const target = load<i32>(targets + offset);
    const logit = target < 0 ? total : <f64>load<f32>(row + ((<usize>target) << 2));
    store<f32>(logProbability + offset, <f32>(logit - total));
  }
}

export function tokenLogprobsBackward(
  logits: usize, targets: usize, logSumExp: usize, dLogProbability: usize, columns: i32,
  begin: i32, end: i32, _thread: i32,
): void {
  const rowBytes = (<usize>columns) << 2;
  for (let t = <usize>begin; t < <usize>end; t++) {
    let at = logits + t * rowBytes;
    const last = at + rowBytes;
    const target = load<i32>(targets + (t << 2));
    if (target < 0) {
      memory.fill(at, 0, rowBytes);
      continue;
    }
    const hit = at + ((<usize>target) << 2);
    const gradient = load<f32>(dLogProbability + (t << 2));
    const back = f32x4.splat(-gradient);
    const total = f32x4.splat(load<f32>(logSumExp + (t << 2)));
    for (; at + 16 <= last; at += 16) {
      v128.store(at, f32x4.mul(back, exp4(f32x4.sub(v128.load(at), total))));
    }
    for (; at < last; at += 4) {
      const p = exp4(f32x4.sub(v128.load32_splat(at), total));
      store<f32>(at, f32x4.extract_lane(f32x4.mul(back, p), 0));
    }
    store<f32>(hit, load<f32>(hit) + gradient);
  }
}

/** The column of the largest value of each row, the lowest on ties; 0 if nothing compares. */
export function argmax(
  x: usize, out: usize, columns: i32, begin: i32, end: i32, _thread: i32,
): void {
  const rowBytes = (<usize>columns) << 2;
  for (let t = <usize>begin; t < <usize>end; t++) {
    const row = x + t * rowBytes;
    const largest = largestOf(row, columns);
    const largests = f32x4.splat(largest);
    let i: usize = 0;
    while (i + 16 <= rowBytes && !v128.any_true(f32x4.eq(v128.load(row + i), largests))) i += 16;
    while (i < rowBytes && load<f32>(row + i) != largest) i += 4;
    store<i32>(out + (t << 2), i < rowBytes ? <i32>(i >> 2) : 0);
  }
}
