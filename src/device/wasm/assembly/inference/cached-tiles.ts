// The inner loops of attention to a cache, over four queries at a time.
//
// A half (f16) becomes f32 by moving its exponent and mantissa into place, which leaves it 2¹¹² times too
// small; queries and probabilities are that much larger instead. A vector of eight halves gives its odd
// ones from the upper and its even ones from the lower parts of four words.
import { exp4 } from '../math';
import { madd } from '../simd';

// In memory, because a vector of constants is made anew wherever it is used.
const halfBits = memory.data<u32>([0x8fffe000, 0x8fffe000, 0x8fffe000, 0x8fffe000], 16);
/** 2¹¹² */
export const raised: f32 = 5.192296858534828e33;

/** Bytes of a query: a multiple of 8 numbers. */
// @ts-ignore: decorator
@inline
export function queryBytes(keyDim: i32): usize {
  return <usize>((keyDim + 7) & ~7) << 2;
}

// @ts-ignore: decorator
@inline
function odd(words: v128, bits: v128): v128 {
  return v128.and(i32x4.shr_s(words, 3), bits);
}

// @ts-ignore: decorator
@inline
function even(words: v128, bits: v128): v128 {
  return v128.and(i32x4.shr_s(i32x4.shl(words, 16), 3), bits);
}

// @ts-ignore: decorator
@inline
function laneSums(a: v128, b: v128, c: v128, d: v128): v128 {
  const ab = f32x4.add(v128.shuffle<f32>(a, b, 0, 4, 1, 5), v128.shuffle<f32>(a, b, 2, 6, 3, 7));
  const cd = f32x4.add(v128.shuffle<f32>(c, d, 0, 4, 1, 5), v128.shuffle<f32>(c, d, 2, 6, 3, 7));
  return f32x4.add(v128.shuffle<f64>(ab, cd, 0, 2), v128.shuffle<f64>(ab, cd, 1, 3));
}

/** A query times `scale`, in the order in which keys are read. */
export function packQuery(from: usize, keyDim: i32, scale: f32, halves: i32, to: usize): void {
  const factor = f32x4.splat(scale);
  const end = from + (<usize>keyDim << 2);
  for (; from + 32 <= end; from += 32) {
    const a = v128.load(from), b = v128.load(from, 16);
    const first = halves ? v128.shuffle<f32>(a, b, 0, 2, 4, 6) : a;
    const second = halves ? v128.shuffle<f32>(a, b, 1, 3, 5, 7) : b;
    v128.store(to, f32x4.mul(first, factor));
    v128.store(to, f32x4.mul(second, factor), 16);
    to += 32;
  }
  // Heads of halves are multiples of eight.
  for (; from < end; from += 4) {
    store<f32>(to, load<f32>(from) * scale);
    to += 4;
  }
}

/** out = valueScale · sums / (total, and the sink if there is one). */
export function finish(
  sums: usize, largest: f32, total: f32, sink: usize, valueDim: i32, valueScale: f32, halves: i32,
  out: usize,
): void {
  let factor = valueScale;
  if (sink) {
    const logit = load<f32>(sink);
    const most = max(largest, logit);
    const kept = f32x4.extract_lane(exp4(f32x4.splat(largest - most)), 0);
    total = total * kept + f32x4.extract_lane(exp4(f32x4.splat(logit - most)), 0);
    factor *= kept;
  }
  factor /= total;
  const factors = f32x4.splat(factor);
  const end = out + (<usize>valueDim << 2);
  for (; out + 32 <= end; out += 32) {
    const a = v128.load(sums), b = v128.load(sums, 16);
    const first = halves ? v128.shuffle<f32>(a, b, 0, 4, 1, 5) : a;
    const second = halves ? v128.shuffle<f32>(a, b, 2, 6, 3, 7) : b;
    v128.store(out, f32x4.mul(first, factors));
    v128.store(out, f32x4.mul(second, factors), 16);
    sums += 32;
  }
  for (; out < end; out += 4) {
    store<f32>(out, load<f32>(sums) * factor);
    sums += 4;
  }
}

/** scores [count,4] = the keys at `places` times four queries, `stride` bytes apart. */
export function addKeys(
  query: usize, stride: usize, keys: usize, keyStride: usize, places: usize, count: i32,
  keyDim: i32, halves: i32, scores: usize,
): void {
  for (let j = 0; j < count; j += 2) {
    // An odd last key is taken twice.
    const other = min(j + 1, count - 1);
    const key0 = keys + <usize>load<i32>(places + (<usize>j << 2)) * keyStride;
    const key1 = keys + <usize>load<i32>(places + (<usize>other << 2)) * keyStride;
    const to = scores + (<usize>j << 4);
    if (halves) keysOfHalves(query, stride, key0, key1, keyDim, to);
    else keysOfFloats(query, stride, key0, key1, keyDim, to);
  }
}

function keysOfHalves(
  q0: usize, stride: usize, key0: usize, key1: usize, keyDim: i32, to: usize,
): void {
  const q1 = q0 + stride, q2 = q1 + stride, q3 = q2 + stride;
  const bits = v128.load(halfBits);
  let s00 = f32x4.splat(0), s01 = s00, s02 = s00, s03 = s00, s10 = s00, s11 = s00, s12 = s00, s13 = s00;
  const end = <usize>keyDim << 1;
  for (let i: usize = 0; i < end; i += 16) {
    let words = v128.load(key0 + i);
    const a = even(words, bits), b = odd(words, bits);
    words = v128.load(key1 + i);
    const c = even(words, bits), d = odd(words, bits);
    const at = i << 1;
    let x = v128.load(q0 + at);
    s00 = madd(x, a, s00); s10 = madd(x, c, s10);
    x = v128.load(q0 + at, 16); s00 = madd(x, b, s00); s10 = madd(x, d, s10);
    x = v128.load(q1 + at); s01 = madd(x, a, s01); s11 = madd(x, c, s11);
    x = v128.load(q1 + at, 16); s01 = madd(x, b, s01); s11 = madd(x, d, s11);
    x = v128.load(q2 + at); s02 = madd(x, a, s02); s12 = madd(x, c, s12);
    x = v128.load(q2 + at, 16); s02 = madd(x, b, s02); s12 = madd(x, d, s12);
    x = v128.load(q3 + at); s03 = madd(x, a, s03); s13 = madd(x, c, s13);
    x = v128.load(q3 + at, 16); s03 = madd(x, b, s03); s13 = madd(x, d, s13);
  }
  v128.store(to, laneSums(s00, s01, s02, s03));
  v128.store(to, laneSums(s10, s11, s12, s13), 16);
}

function keysOfFloats(
  q0: usize, stride: usize, key0: usize, key1: usize, keyDim: i32, to: usize,
): void {
  const q1 = q0 + stride, q2 = q1 + stride, q3 = q2 + stride;
  let s00 = f32x4.splat(0), s01 = s00, s02 = s00, s03 = s00, s10 = s00, s11 = s00, s12 = s00, s13 = s00;
  const end = <usize>keyDim << 2;
  let i: usize = 0;
  for (; i + 16 <= end; i += 16) {
    const a = v128.load(key0 + i), b = v128.load(key1 + i);
    let x = v128.load(q0 + i); s00 = madd(x, a, s00); s10 = madd(x, b, s10);
    x = v128.load(q1 + i); s01 = madd(x, a, s01); s11 = madd(x, b, s11);
    x = v128.load(q2 + i); s02 = madd(x, a, s02); s12 = madd(x, b, s12);
    x = v128.load(q3 + i); s03 = madd(x, a, s03); s13 = madd(x, b, s13);
  }
  let first = laneSums(s00, s01, s02, s03), second = laneSums(s10, s11, s12, s13);
  for (; i < end; i += 4) {
    const x = f32x4(load<f32>(q0 + i), load<f32>(q1 + i), load<f32>(q2 + i), load<f32>(q3 + i));
    first = madd(x, v128.load32_splat(key0 + i), first);
    second = madd(x, v128.load32_splat(key1 + i), second);
  }
  v128.store(to, first);
  v128.store(to, second, 16);
}

/**
 * sums [4,columns] += weights [count,4] transposed · the values at `places`, where weights are
 * e^(scores − shifts), which are also added to the four at `total`, times `factor`. Values of halves are
 * summed with the even ones of eight first.
 */
export function addValues(
  scores: usize, shifts: usize, values: usize, valueStride: usize, places: usize, count: i32,
  valueDim: i32, halves: i32, factor: f32, sums: usize, columns: i32, total: usize,
): void {
  const rowBytes = <usize>columns << 2;
  const end = <usize>valueDim;
  const scale = f32x4.splat(factor);
  const shift = v128.load(shifts);
  let weights = f32x4.splat(0);
  for (let at = scores; at < scores + (<usize>count << 4); at += 16) {
    const p = exp4(f32x4.sub(v128.load(at), shift));
    weights = f32x4.add(weights, p);
    v128.store(at, f32x4.mul(p, scale));
  }
  v128.store(total, f32x4.add(v128.load(total), weights));
  if (halves) {
    for (let i: usize = 0; i < end; i += 8) {
      valuesOfHalves(scores, values + (i << 1), valueStride, places, count, sums + (i << 2), rowBytes);
    }
    return;
  }
  let i: usize = 0;
  for (; i + 8 <= end; i += 8) {
    valuesOfFloats(scores, values + (i << 2), valueStride, places, count, sums + (i << 2), rowBytes);
  }
  for (; i < end; i++) {
    let sum = f32x4.splat(0);
    for (let j: usize = 0; j < <usize>count; j++) {
      const row = values + <usize>load<i32>(places + (j << 2)) * valueStride;
      sum = madd(v128.load(scores + (j << 4)), v128.load32_splat(row + (i << 2)), sum);
    }
    const to = sums + (i << 2);
    store<f32>(to, load<f32>(to) + f32x4.extract_lane(sum, 0));
    store<f32>(to + rowBytes, load<f32>(to + rowBytes) + f32x4.extract_lane(sum, 1));
    store<f32>(to + 2 * rowBytes, load<f32>(to + 2 * rowBytes) + f32x4.extract_lane(sum, 2));
    store<f32>(to + 3 * rowBytes, load<f32>(to + 3 * rowBytes) + f32x4.extract_lane(sum, 3));
  }
}

function valuesOfHalves(
  p: usize, values: usize, stride: usize, places: usize, count: i32, to: usize, rowBytes: usize,
): void {
  const bits = v128.load(halfBits);
  const to1 = to + rowBytes, to2 = to1 + rowBytes, to3 = to2 + rowBytes;
  let a0 = v128.load(to), b0 = v128.load(to, 16), a1 = v128.load(to1), b1 = v128.load(to1, 16);
  let a2 = v128.load(to2), b2 = v128.load(to2, 16), a3 = v128.load(to3), b3 = v128.load(to3, 16);
  for (const end = places + (<usize>count << 2); places < end; places += 4) {
    const words = v128.load(values + <usize>load<i32>(places) * stride);
    const x = even(words, bits), y = odd(words, bits);
    let w = v128.load32_splat(p); a0 = madd(w, x, a0); b0 = madd(w, y, b0);
    w = v128.load32_splat(p, 4); a1 = madd(w, x, a1); b1 = madd(w, y, b1);
    w = v128.load32_splat(p, 8); a2 = madd(w, x, a2); b2 = madd(w, y, b2);
    w = v128.load32_splat(p, 12); a3 = madd(w, x, a3); b3 = madd(w, y, b3);
    p += 16;
  }
  v128.store(to, a0); v128.store(to, b0, 16);
  v128.store(to1, a1); v128.store(to1, b1, 16);
  v128.store(to2, a2); v128.store(to2, b2, 16);
  v128.store(to3, a3); v128.store(to3, b3, 16);
}

function valuesOfFloats(
  p: usize, values: usize, stride: usize, places: usize, count: i32, to: usize, rowBytes: usize,
): void {
  const to1 = to + rowBytes, to2 = to1 + rowBytes, to3 = to2 + rowBytes;
  let a0 = v128.load(to), b0 = v128.load(to, 16), a1 = v128.load(to1), b1 = v128.load(to1, 16);
  let a2 = v128.load(to2), b2 = v128.load(to2, 16), a3 = v128.load(to3), b3 = v128.load(to3, 16);
  for (const end = places + (<usize>count << 2); places < end; places += 4) {
    const row = values + <usize>load<i32>(places) * stride;
    const x = v128.load(row), y = v128.load(row, 16);
    let w = v128.load32_splat(p); a0 = madd(w, x, a0); b0 = madd(w, y, b0);
    w = v128.load32_splat(p, 4); a1 = madd(w, x, a1); b1 = madd(w, y, b1);
    w = v128.load32_splat(p, 8); a2 = madd(w, x, a2); b2 = madd(w, y, b2);
    w = v128.load32_splat(p, 12); a3 = madd(w, x, a3); b3 = madd(w, y, b3);
    p += 16;
  }
  v128.store(to, a0); v128.store(to, b0, 16);
  v128.store(to1, a1); v128.store(to1, b1, 16);
  v128.store(to2, a2); v128.store(to2, b2, 16);
  v128.store(to3, a3); v128.store(to3, b3, 16);
}

/** out [count,dim] = the halves at `places` in f32, 2¹¹² times too small and the even ones of eight first. */
export function widenHalves(
  halves: usize, stride: usize, places: usize, count: i32, dim: i32, out: usize,
): void {
  const bits = v128.load(halfBits);
  const bytes = <usize>dim << 1;
  for (const end = places + (<usize>count << 2); places < end; places += 4) {
    const row = halves + <usize>load<i32>(places) * stride;
    for (let i: usize = 0; i < bytes; i += 16) {
      const words = v128.load(row + i);
      v128.store(out, even(words, bits));
      v128.store(out, odd(words, bits), 16);
      out += 32;
    }
  }
}
