// The heart of matrix multiplication: a 6×8 tile of C. V8 has sixteen vector registers; twelve hold the
// tile, two a row of B and one a broadcast element of A, so the loop does nothing but multiply-adds
// and the loads that feed them.
import { madd } from './simd';

export const tileRows: i32 = 6;
export const tileColumns: i32 = 8;

/**
 * c [6,8] (+)= Σ_k a[k]ᵀ·b[k], with packed panels a [depth,6] and b [depth,8]; the rows of c are
 * `cStride` bytes apart.
 *
 * The loop is not unrolled: Binaryen would nest the multiply-adds of one accumulator and so reorder
 * them, and V8 would spill what then lives too long.
 */
export function multiplyTile(
  a: usize, b: usize, c: usize, cStride: usize, depth: i32, accumulate: i32,
): void {
  let c00 = f32x4.splat(0), c01 = c00, c10 = c00, c11 = c00, c20 = c00, c21 = c00;
  let c30 = c00, c31 = c00, c40 = c00, c41 = c00, c50 = c00, c51 = c00;
  let b0: v128, b1: v128, x: v128;

  for (let k = depth; k > 0; k--) {
    b0 = v128.load(b); b1 = v128.load(b, 16); b += 32;
    x = v128.load_splat<f32>(a); c00 = madd(x, b0, c00); c01 = madd(x, b1, c01);
    x = v128.load_splat<f32>(a, 4); c10 = madd(x, b0, c10); c11 = madd(x, b1, c11);
    x = v128.load_splat<f32>(a, 8); c20 = madd(x, b0, c20); c21 = madd(x, b1, c21);
    x = v128.load_splat<f32>(a, 12); c30 = madd(x, b0, c30); c31 = madd(x, b1, c31);
    x = v128.load_splat<f32>(a, 16); c40 = madd(x, b0, c40); c41 = madd(x, b1, c41);
    x = v128.load_splat<f32>(a, 20); c50 = madd(x, b0, c50); c51 = madd(x, b1, c51);
    a += 24;
  }

  storeRow(c, c00, c01, accumulate); c += cStride;
  storeRow(c, c10, c11, accumulate); c += cStride;
  storeRow(c, c20, c21, accumulate); c += cStride;
  storeRow(c, c30, c31, accumulate); c += cStride;
  storeRow(c, c40, c41, accumulate); c += cStride;
  storeRow(c, c50, c51, accumulate);
}

// @ts-ignore: decorator
@inline
function storeRow(c: usize, left: v128, right: v128, accumulate: i32): void {
  if (accumulate) {
    left = f32x4.add(v128.load(c), left);
    right = f32x4.add(v128.load(c, 16), right);
  }
  v128.store(c, left);
  v128.store(c, right, 16);
}

/** A tile that C cuts off: computed whole in `tile` (6×8 floats), of which rows × columns are kept. */
export function multiplyEdgeTile(
  a: usize, b: usize, c: usize, cStride: usize, depth: i32, accumulate: i32,
  rows: i32, columns: i32, tile: usize,
): void {
  multiplyTile(a, b, tile, tileColumns * 4, depth, 0);
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) {
      const to = c + (<usize>j << 2);
      const value = load<f32>(tile + (<usize>j << 2));
      store<f32>(to, accumulate ? load<f32>(to) + value : value);
    }
    tile += tileColumns * 4;
    c += cStride;
  }
}
