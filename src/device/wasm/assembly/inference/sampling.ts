// What becomes of logits: the distributions that are sampled from, draws, and the verification of drafts
// (see `InferenceKernels`). Sums are in f64 and in one order, so that a draw is the same wherever it is
// made.
import { exp4, spreadLargest, sumLanes64 } from '../math';

/** Columns that a draw passes over at once. */
const blockColumns: i32 = 64;

/**
 * Items are rows of logits [T,columns], whose settings [T,4] begin with the temperature: softmax of the
 * first `count` columns over it, or 1 for the largest if it is 0; the rest becomes 0.
 */
export function samplingDistribution(
  logits: usize, settings: usize, columns: i32, count: i32,
  begin: i32, end: i32, _thread: i32,
): void {
  const bytes = (<usize>columns) << 2;
  for (let t = <usize>begin; t < <usize>end; t++) {
    const row = logits + t * bytes;
    const temperature = load<f32>(settings + (t << 4));
    const largest = largestOf(row, count);
    if (temperature == 0) {
      const best = firstAt(row, count, largest);
      memory.fill(row, 0, bytes);
      store<f32>(row + (<usize>best << 2), 1);
    } else {
      memory.fill(row + (<usize>count << 2), 0, <usize>(columns - count) << 2);
      softmax(row, count, largest, temperature);
    }
  }
}

/** Items are rows of probabilities [T,columns]: a draw from each to out[places[t,i]], as far as these are not negative. */
export function drawTokens(
  probabilities: usize, uniforms: usize, places: usize, out: usize, columns: i32, copies: i32,
  begin: i32, end: i32, _thread: i32,
): void {
  for (let t = begin; t < end; t++) {
    const row = probabilities + ((<usize>t * <usize>columns) << 2);
    const token = draw(row, columns, load<f32>(uniforms + (<usize>t << 2)));
    for (let i = t * copies; i < (t + 1) * copies; i++) {
      const place = load<i32>(places + (<usize>i << 2));
      if (place >= 0) store<i32>(out + (<usize>place << 2), token);
    }
  }
}

/** Items are sequences, with `drafted` drafts each; `scratch` has room for a row of each thread. */
export function verifyDrafts(
  targets: usize, drafts: usize, tokens: usize, uniforms: usize, out: usize, scratch: usize,
  sequences: i32, drafted: i32, columns: i32,
  begin: i32, end: i32, thread: i32,
): void {
  const bytes = (<usize>columns) << 2;
  const rest = scratch + <usize>thread * bytes;
  const steps = drafted + 1;
  for (let s = begin; s < end; s++) {
    const random = uniforms + (<usize>(s * steps) << 2);
    const own = tokens + (<usize>(s * steps) << 2);
    const chosen = out + (<usize>(s * (drafted + 2)) << 2);
    const last = load<f32>(random + (<usize>drafted << 2));
    let target = targets + <usize>(s * steps) * bytes;
    let kept = 0;
    let from: usize = 0;
    for (; kept < drafted; kept++) {
      const draft = drafts + <usize>(kept * sequences + s) * bytes;
      const token = load<i32>(own + (<usize>(kept + 1) << 2));
      const p = <f64>load<f32>(target + (<usize>token << 2));
      const q = <f64>load<f32>(draft + (<usize>token << 2));
      if (!(<f64>load<f32>(random + (<usize>kept << 2)) < p / q)) {
        from = residual(target, draft, columns, rest) > 0 ? rest : target;
        break;
      }
      store<i32>(chosen + (<usize>(kept + 1) << 2), token);
      target += bytes;
    }
    store<i32>(chosen, kept + 1);
    store<i32>(chosen + (<usize>(kept + 1) << 2), draw(from ? from : target, columns, last));
  }
}

/** The largest of `count` numbers. */
function largestOf(x: usize, count: i32): f32 {
  const end = x + (<usize>count << 2);
  let a = f32x4.splat(-Infinity), b = a, c = a, d = a;
  for (; x + 64 <= end; x += 64) {
    a = f32x4.pmax(a, v128.load(x));
    b = f32x4.pmax(b, v128.load(x, 16));
    c = f32x4.pmax(c, v128.load(x, 32));
    d = f32x4.pmax(d, v128.load(x, 48));
  }
  a = spreadLargest(f32x4.pmax(f32x4.pmax(a, b), f32x4.pmax(c, d)));
  let largest = f32x4.extract_lane(a, 0);
  for (; x < end; x += 4) largest = max(largest, load<f32>(x));
  return largest;
}

/** Where `value` is first found; 0 if nowhere, among numbers that are none. */
function firstAt(x: usize, count: i32, value: f32): i32 {
  const values = f32x4.splat(value);
  let i = 0;
  while (i + 16 <= count) {
    const at = x + (<usize>i << 2);
    const a = f32x4.eq(v128.load(at), values), b = f32x4.eq(v128.load(at, 16), values);
    const c = f32x4.eq(v128.load(at, 32), values), d = f32x4.eq(v128.load(at, 48), values);
    if (v128.any_true(v128.or(v128.or(a, b), v128.or(c, d)))) break;
    i += 16;
  }
  for (; i < count; i++) if (load<f32>(x + (<usize>i << 2)) == value) return i;
  return 0;
}

/** In its place. */
function softmax(x: usize, count: i32, largest: f32, temperature: f32): void {
  const shift = f32x4.splat(largest), divisor = f32x4.splat(temperature);
  const whole = x + (<usize>(count & ~3) << 2);
  for (let at = x; at < whole; at += 16) {
    v128.store(at, exp4(f32x4.div(f32x4.sub(v128.load(at), shift), divisor)));
  }
  for (let at = whole; at < x + (<usize>count << 2); at += 4) {
    const v = exp4(f32x4.splat((load<f32>(at) - largest) / temperature));
    store<f32>(at, f32x4.extract_lane(v, 0));
  }
  const total = sum(x, count);
  const factor = <f32>(1 / total), factors = f32x4.splat(factor);
  for (let at = x; at < whole; at += 16) v128.store(at, f32x4.mul(v128.load(at), factors));
  for (let at = whole; at < x + (<usize>count << 2); at += 4) {
    store<f32>(at, load<f32>(at) * factor);
  }
}

function sum(x: usize, count: i32): f64 {
  const end = x + (<usize>count << 2);
  let low = f64x2.splat(0), high = low;
  for (; x + 16 <= end; x += 16) {
    const v = v128.load(x);
    low = f64x2.add(low, f64x2.promote_low_f32x4(v));
    high = f64x2.add(high, f64x2.promote_low_f32x4(v128.shuffle<i32>(v, v, 2, 3, 2, 3)));
  }
  let total = sumLanes64(f64x2.add(low, high));
  for (; x < end; x += 4) total += <f64>load<f32>(x);
  return total;
}

/** The first column whose cumulative weight exceeds `uniform` times all of it. */
function draw(weights: usize, columns: i32, uniform: f64): i32 {
  let total: f64 = 0;
  for (let first = 0; first < columns; first += blockColumns) total += sumOfBlock(weights, first, columns);
  const limit = uniform * total;
  let mass: f64 = 0;
  for (let first = 0; first < columns; first += blockColumns) {
    const after = mass + sumOfBlock(weights, first, columns);
    if (after > limit) return drawFromBlock(weights, first, columns, limit - mass);
    mass = after;
  }
  return 0;
}

// @ts-ignore: decorator
@inline
function sumOfBlock(weights: usize, first: i32, columns: i32): f64 {
  return sum(weights + (<usize>first << 2), min(blockColumns, columns - first));
}

/** The last that is not 0, where rounding keeps the sum from exceeding the limit. */
function drawFromBlock(weights: usize, first: i32, columns: i32, limit: f64): i32 {
  let mass: f64 = 0;
  let last = first;
  for (let i = first; i < min(first + blockColumns, columns); i++) {
    const weight = load<f32>(weights + (<usize>i << 2));
    if (weight == 0) continue;
    last = i;
    mass += <f64>weight;
    if (mass > limit) break;
  }
  return last;
}

/** out = max(target − draft, 0) → its sum. */
function residual(target: usize, draft: usize, columns: i32, out: usize): f64 {
  const bytes = (<usize>columns) << 2;
  const whole = bytes & ~15;
  const zero = f32x4.splat(0);
  for (let i: usize = 0; i < whole; i += 16) {
    v128.store(out + i, f32x4.pmax(f32x4.sub(v128.load(target + i), v128.load(draft + i)), zero));
  }
  for (let i = whole; i < bytes; i += 4) {
    store<f32>(out + i, max(load<f32>(target + i) - load<f32>(draft + i), 0));
  }
  return sum(out, columns);
}
