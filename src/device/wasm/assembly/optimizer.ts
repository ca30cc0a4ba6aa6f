// AdamW and the statistics of gradients; both run at the memory's speed.
import { madd } from './simd';
import { sumLanes64 } from './math';

/** Adds squares of four elements in f64. Loaded in twos, because shuffles would take longer. */
// @ts-ignore: decorator
@inline
function addSquares64(sum: v128, at: usize): v128 {
  const low = f64x2.promote_low_f32x4(v128.load64_zero(at));
  const high = f64x2.promote_low_f32x4(v128.load64_zero(at, 8));
  return f64x2.add(sum, f64x2.add(f64x2.mul(low, low), f64x2.mul(high, high)));
}

/** −1 in the lanes of elements that are 0. */
// @ts-ignore: decorator
@inline
function isZero(at: usize): v128 {
  return f32x4.eq(v128.load(at), f32x4.splat(0));
}

/**
 * Items are blocks of `blockSize` elements of one part each, blocksPerPart to a part. Writes the two
 * f64 sums of each block, Σx² and the number of zeros, to `partial` [blocks, 2].
 */
export function gradientStatistics(
  x: usize, partial: usize, partSize: i32, blockSize: i32, blocksPerPart: i32,
  begin: i32, end: i32, _thread: i32,
): void {
  for (let block = begin; block < end; block++) {
    const part = block / blocksPerPart;
    const first = (block - part * blocksPerPart) * blockSize;
    const count = min(blockSize, partSize - first);
    let at = x + ((<usize>part * <usize>partSize + <usize>first) << 2);
    const last = at + ((<usize>count) << 2);
    // Four quarters at once: the processor fetches ahead along each, and one alone is too slow.
    const quarter = (<usize>count >> 4) << 4;
    let squares0 = f64x2.splat(0), squares1 = f64x2.splat(0);
    let squares2 = f64x2.splat(0), squares3 = f64x2.splat(0);
    let zeros = i32x4.splat(0);
    for (const pause = at + quarter; at < pause; at += 16) {
      squares0 = addSquares64(squares0, at);
      squares1 = addSquares64(squares1, at + quarter);
      squares2 = addSquares64(squares2, at + 2 * quarter);
      squares3 = addSquares64(squares3, at + 3 * quarter);
      zeros = i32x4.add(zeros, i32x4.add(
        i32x4.add(isZero(at), isZero(at + quarter)),
        i32x4.add(isZero(at + 2 * quarter), isZero(at + 3 * quarter)),
      ));
    }
    at += 3 * quarter;
    let sum = sumLanes64(
      f64x2.add(f64x2.add(squares0, squares1), f64x2.add(squares2, squares3)),
    );
    let zeroCount = -(i32x4.extract_lane(zeros, 0) + i32x4.extract_lane(zeros, 1)
      + i32x4.extract_lane(zeros, 2) + i32x4.extract_lane(zeros, 3));
    for (; at < last; at += 4) {
      const value = <f64>load<f32>(at);
      sum += value * value;
      if (value == 0) zeroCount++;
    }
    store<f64>(partial + ((<usize>block) << 4), sum);
    store<f64>(partial + ((<usize>block) << 4), <f64>zeroCount, 8);
  }
}

/** Items are parts: the sums of their blocks, rounded to f32. */
export function sumStatistics(
  partial: usize, out: usize, blocksPerPart: i32, begin: i32, end: i32, _thread: i32,
): void {
  for (let part = <usize>begin; part < <usize>end; part++) {
    let at = partial + ((part * <usize>blocksPerPart) << 4);
    let sum: f64 = 0;
    let zeroCount: f64 = 0;
    for (let block = 0; block < blocksPerPart; block++) {
      sum += load<f64>(at);
      zeroCount += load<f64>(at, 8);
      at += 16;
    }
    store<f32>(out + (part << 3), <f32>sum);
    store<f32>(out + (part << 3), <f32>zeroCount, 4);
  }
}

/**
 * Items are elements. p −= stepSize·m/(√(v·unbias2) + epsilon) + shrink·p. `fresh1` and `fresh2` are
 * 1 − β, which f32 could not take from β without loss.
 */
export function adamw(
  parameter: usize, gradient: usize, firstMoment: usize, secondMoment: usize,
  gradientScale: f32, beta1: f32, fresh1: f32, beta2: f32, fresh2: f32,
  stepSize: f32, unbias2: f32, epsilon: f32, shrink: f32,
  begin: i32, end: i32, _thread: i32,
): void {
  const scales = f32x4.splat(gradientScale);
  const beta1s = f32x4.splat(beta1);
  const fresh1s = f32x4.splat(fresh1);
  const beta2s = f32x4.splat(beta2);
  const fresh2s = f32x4.splat(fresh2);
  const steps = f32x4.splat(stepSize);
  const unbias2s = f32x4.splat(unbias2);
  const epsilons = f32x4.splat(epsilon);
  const shrinks = f32x4.splat(shrink);
  let i = (<usize>begin) << 2;
  const last = (<usize>end) << 2;
  for (; i < last; i += 16) {
    const whole = i + 16 <= last;
    let p: v128, g: v128, m: v128, v: v128;
    if (whole) {
      p = v128.load(parameter + i);
      g = v128.load(gradient + i);
      m = v128.load(firstMoment + i);
      v = v128.load(secondMoment + i);
    } else {
      p = v128.load32_splat(parameter + i);
      g = v128.load32_splat(gradient + i);
      m = v128.load32_splat(firstMoment + i);
      v = v128.load32_splat(secondMoment + i);
    }
    g = f32x4.mul(g, scales);
    m = madd(beta1s, m, f32x4.mul(fresh1s, g));
    v = madd(beta2s, v, f32x4.mul(fresh2s, f32x4.mul(g, g)));
    const scale = f32x4.add(f32x4.sqrt(f32x4.mul(v, unbias2s)), epsilons);
    const change = madd(shrinks, p, f32x4.div(f32x4.mul(m, steps), scale));
    p = f32x4.sub(p, change);
    if (whole) {
      v128.store(parameter + i, p);
      v128.store(firstMoment + i, m);
      v128.store(secondMoment + i, v);
    } else {
      store<f32>(parameter + i, f32x4.extract_lane(p, 0));
      store<f32>(firstMoment + i, f32x4.extract_lane(m, 0));
      store<f32>(secondMoment + i, f32x4.extract_lane(v, 0));
      i -= 12;
    }
  }
}
