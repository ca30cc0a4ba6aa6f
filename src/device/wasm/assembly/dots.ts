// Few rows times a transposed matrix, out [rows,columns] = a·bᵀ: every element is a dot product of two
// contiguous rows. Decoding lives here, and its time is that of reading b from memory, which happens
// once; so nothing is packed. Each dot product is summed in four lanes, whatever the number of rows:
// a sequence decodes to the same bits alone, in a batch, or being verified.
import { madd, sumLanes } from './simd';

/**
 * c [rows,columns] (+)= a [rows,depth] · bᵀ, b [columns,depth]; strides in bytes. Meant for 1 to 8 rows:
 * four to eight rows of b are taken at a time, and stay in the cache for all rows of a.
 */
export function multiplyFewRows(
  a: usize, aStride: usize, b: usize, bStride: usize, c: usize, cStride: usize,
  rows: i32, columns: i32, depth: i32, accumulate: i32,
): void {
  const whole = depth & ~3;
  const paired = rows & ~1;
  const lastA = a + <usize>paired * aStride;
  const lastC = c + <usize>paired * cStride;
  let j = 0;
  for (; j + 4 <= columns; j += 4) {
    const bRow = b + <usize>j * bStride;
    let aRow = a;
    let to = c + (<usize>j << 2);
    for (let i = 0; i < paired; i += 2) {
      dots2x4(aRow, aStride, bRow, bStride, to, cStride, whole, accumulate);
      aRow += 2 * aStride;
      to += 2 * cStride;
    }
    if (rows == paired) continue;
    // One row needs eight sums to keep the multipliers busy.
    if (j & 4) {
      dots1x8(lastA, bRow - 4 * bStride, bStride, lastC + (<usize>(j - 4) << 2), whole, accumulate);
    } else if (j + 8 > columns) {
      dots1x4(lastA, bRow, bStride, lastC + (<usize>j << 2), whole, accumulate);
    }
  }
  for (; j < columns; j++) {
    for (let i = 0; i < rows; i++) {
      const to = c + <usize>i * cStride + (<usize>j << 2);
      const value = dot(a + <usize>i * aStride, b + <usize>j * bStride, whole);
      store<f32>(to, accumulate ? load<f32>(to) + value : value);
    }
  }
  for (let k = whole; k < depth; k++) addColumn(a, aStride, b, bStride, c, cStride, rows, columns, k);
}

/** c += the outer product of column k of a and of b. */
function addColumn(
  a: usize, aStride: usize, b: usize, bStride: usize, c: usize, cStride: usize,
  rows: i32, columns: i32, k: i32,
): void {
  a += <usize>k << 2;
  b += <usize>k << 2;
  for (let i = 0; i < rows; i++) {
    const x = load<f32>(a + <usize>i * aStride);
    let to = c + <usize>i * cStride;
    let from = b;
    for (let j = 0; j < columns; j++) {
      store<f32>(to, load<f32>(to) + x * load<f32>(from));
      from += bStride;
      to += 4;
    }
  }
}

function dot(a: usize, b: usize, depth: i32): f32 {
  let sum = f32x4.splat(0);
  for (; depth > 0; depth -= 4) {
    sum = madd(v128.load(a), v128.load(b), sum);
    a += 16; b += 16;
  }
  return sumLanes(sum);
}

/** One row of a, eight rows of b. */
function dots1x8(
  a: usize, b: usize, stride: usize, c: usize, depth: i32, accumulate: i32,
): void {
  let b1 = b + stride, b2 = b1 + stride, b3 = b2 + stride;
  let b4 = b3 + stride, b5 = b4 + stride, b6 = b5 + stride, b7 = b6 + stride;
  let s0 = f32x4.splat(0), s1 = s0, s2 = s0, s3 = s0, s4 = s0, s5 = s0, s6 = s0, s7 = s0;
  let x: v128;
  // Unrolled, unlike the others: nine addresses to increase are half as much work as the sums.
  for (; depth >= 8; depth -= 8) {
    x = v128.load(a);
    s0 = madd(x, v128.load(b), s0);
    s1 = madd(x, v128.load(b1), s1);
    s2 = madd(x, v128.load(b2), s2);
    s3 = madd(x, v128.load(b3), s3);
    s4 = madd(x, v128.load(b4), s4);
    s5 = madd(x, v128.load(b5), s5);
    s6 = madd(x, v128.load(b6), s6);
    s7 = madd(x, v128.load(b7), s7);
    x = v128.load(a, 16);
    s0 = madd(x, v128.load(b, 16), s0);
    s1 = madd(x, v128.load(b1, 16), s1);
    s2 = madd(x, v128.load(b2, 16), s2);
    s3 = madd(x, v128.load(b3, 16), s3);
    s4 = madd(x, v128.load(b4, 16), s4);
    s5 = madd(x, v128.load(b5, 16), s5);
    s6 = madd(x, v128.load(b6, 16), s6);
    s7 = madd(x, v128.load(b7, 16), s7);
    a += 32; b += 32; b1 += 32; b2 += 32; b3 += 32; b4 += 32; b5 += 32; b6 += 32; b7 += 32;
  }
  if (depth > 0) {
    x = v128.load(a);
    s0 = madd(x, v128.load(b), s0);
    s1 = madd(x, v128.load(b1), s1);
    s2 = madd(x, v128.load(b2), s2);
    s3 = madd(x, v128.load(b3), s3);
    s4 = madd(x, v128.load(b4), s4);
    s5 = madd(x, v128.load(b5), s5);
    s6 = madd(x, v128.load(b6), s6);
    s7 = madd(x, v128.load(b7), s7);
  }
  storeSums(c, laneSums(s0, s1, s2, s3), accumulate);
  storeSums(c + 16, laneSums(s4, s5, s6, s7), accumulate);
}

/** One row of a, four rows of b. */
function dots1x4(
  a: usize, b: usize, bStride: usize, c: usize, depth: i32, accumulate: i32,
): void {
  let b1 = b + bStride, b2 = b1 + bStride, b3 = b2 + bStride;
  let s0 = f32x4.splat(0), s1 = s0, s2 = s0, s3 = s0;
  for (let k = depth; k > 0; k -= 4) {
    const x = v128.load(a);
    s0 = madd(x, v128.load(b), s0);
    s1 = madd(x, v128.load(b1), s1);
    s2 = madd(x, v128.load(b2), s2);
    s3 = madd(x, v128.load(b3), s3);
    a += 16; b += 16; b1 += 16; b2 += 16; b3 += 16;
  }
  storeSums(c, laneSums(s0, s1, s2, s3), accumulate);
}

/** Two rows of a, four rows of b; three of a would be a register too many. */
function dots2x4(
  a: usize, aStride: usize, b: usize, bStride: usize, c: usize, cStride: usize,
  depth: i32, accumulate: i32,
): void {
  let a1 = a + aStride;
  let b1 = b + bStride, b2 = b1 + bStride, b3 = b2 + bStride;
  let s00 = f32x4.splat(0), s01 = s00, s02 = s00, s03 = s00;
  let s10 = s00, s11 = s00, s12 = s00, s13 = s00;
  let y: v128;
  for (let k = depth; k > 0; k -= 4) {
    const x0 = v128.load(a), x1 = v128.load(a1);
    y = v128.load(b); s00 = madd(x0, y, s00); s10 = madd(x1, y, s10);
    y = v128.load(b1); s01 = madd(x0, y, s01); s11 = madd(x1, y, s11);
    y = v128.load(b2); s02 = madd(x0, y, s02); s12 = madd(x1, y, s12);
    y = v128.load(b3); s03 = madd(x0, y, s03); s13 = madd(x1, y, s13);
    a += 16; a1 += 16; b += 16; b1 += 16; b2 += 16; b3 += 16;
  }
  storeSums(c, laneSums(s00, s01, s02, s03), accumulate);
  storeSums(c + cStride, laneSums(s10, s11, s12, s13), accumulate);
}

// @ts-ignore: decorator
@inline
function storeSums(to: usize, sums: v128, accumulate: i32): void {
  v128.store(to, accumulate ? f32x4.add(v128.load(to), sums) : sums);
}

/** The sums of the lanes of four vectors, added in the order of `sumLanes`. */
// @ts-ignore: decorator
@inline
function laneSums(a: v128, b: v128, c: v128, d: v128): v128 {
  const ab = f32x4.add(v128.shuffle<f32>(a, b, 0, 4, 1, 5), v128.shuffle<f32>(a, b, 2, 6, 3, 7));
  const cd = f32x4.add(v128.shuffle<f32>(c, d, 0, 4, 1, 5), v128.shuffle<f32>(c, d, 2, 6, 3, 7));
  return f32x4.add(v128.shuffle<f64>(ab, cd, 0, 2), v128.shuffle<f64>(ab, cd, 1, 3));
}
