// Products of small blocks, which are nearly all of attention's work: C [6,8] from A [6,depth] and
// B [depth,8]. Six rows by two vectors fill the 16 registers that V8 has: twelve sums, two vectors of B
// and one element of A. The variants differ in where A's elements lie.
import { madd } from '../simd';

/** Keys worked on at once: a multiple of the tile's 6 and 8, and small enough for the cache. */
export const keyBlock: i32 = 96;
export const keyBlockBytes: usize = 384;

/** Where the rows of A lie. Load offsets must be constants, and only types can be given as constants. */
type Neighbours = f32; // sizeof<f32>() bytes apart
type BlockRows = f64; // keyBlockBytes apart

/** `aStep`: bytes from one column of A to the next. */
// @ts-ignore: decorator
@inline
function product<Rows>(
  aStep: usize, accumulate: bool,
  a: usize, b: usize, bStride: usize, c: usize, cStride: usize, depth: i32,
): void {
  const rowOffset: usize = sizeof<Rows>() == 4 ? 4 : keyBlockBytes;
  let c00 = f32x4.splat(0), c01 = f32x4.splat(0), c10 = f32x4.splat(0), c11 = f32x4.splat(0);
  let c20 = f32x4.splat(0), c21 = f32x4.splat(0), c30 = f32x4.splat(0), c31 = f32x4.splat(0);
  let c40 = f32x4.splat(0), c41 = f32x4.splat(0), c50 = f32x4.splat(0), c51 = f32x4.splat(0);
  for (let k = depth; k > 0; k--) {
    const b0 = v128.load(b);
    const b1 = v128.load(b, 16);
    let x = v128.load32_splat(a);
    c00 = madd(x, b0, c00);
    c01 = madd(x, b1, c01);
    x = v128.load32_splat(a, rowOffset);
    c10 = madd(x, b0, c10);
    c11 = madd(x, b1, c11);
    x = v128.load32_splat(a, 2 * rowOffset);
    c20 = madd(x, b0, c20);
    c21 = madd(x, b1, c21);
    x = v128.load32_splat(a, 3 * rowOffset);
    c30 = madd(x, b0, c30);
    c31 = madd(x, b1, c31);
    x = v128.load32_splat(a, 4 * rowOffset);
    c40 = madd(x, b0, c40);
    c41 = madd(x, b1, c41);
    x = v128.load32_splat(a, 5 * rowOffset);
    c50 = madd(x, b0, c50);
    c51 = madd(x, b1, c51);
    a += aStep;
    b += bStride;
  }
  c = storeRow(accumulate, c, cStride, c00, c01);
  c = storeRow(accumulate, c, cStride, c10, c11);
  c = storeRow(accumulate, c, cStride, c20, c21);
  c = storeRow(accumulate, c, cStride, c30, c31);
  c = storeRow(accumulate, c, cStride, c40, c41);
  storeRow(accumulate, c, cStride, c50, c51);
}

// @ts-ignore: decorator
@inline
function storeRow(accumulate: bool, c: usize, cStride: usize, first: v128, second: v128): usize {
  if (accumulate) {
    v128.store(c, f32x4.add(v128.load(c), first));
    v128.store(c, f32x4.add(v128.load(c, 16), second), 16);
  } else {
    v128.store(c, first);
    v128.store(c, second, 16);
  }
  return c + cStride;
}

/** C = A·B with A interleaved, [depth,6], and rows of `keyBlock` for B and C: scores. */
export function scoreTile(a: usize, b: usize, c: usize, depth: i32): void {
  product<Neighbours>(24, false, a, b, keyBlockBytes, c, keyBlockBytes, depth);
}

/** C += A·B with rows of `keyBlock` for A: weights times values, score gradients times keys. */
export function weightTile(
  a: usize, b: usize, bStride: usize, c: usize, cStride: usize, depth: i32,
): void {
  product<BlockRows>(4, true, a, b, bStride, c, cStride, depth);
}

/** C += A·B with A the transpose of a block with rows of `keyBlock`: gradients of keys and values. */
export function transposedTile(
  a: usize, b: usize, bStride: usize, c: usize, cStride: usize, depth: i32,
): void {
  product<Neighbours>(keyBlockBytes, true, a, b, bStride, c, cStride, depth);
}
