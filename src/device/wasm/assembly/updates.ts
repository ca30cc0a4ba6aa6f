// Few rows times a matrix, out [rows,columns] = a·b, as a sum of outer products: b is read once, row
// by row, and nothing is packed. Every element is summed in the order of the depth.
import { madd } from './simd';

/**
 * c [rows,columns] (+)= a · b [depth,columns]; element (i,k) of a lies at a + i·aRowStride +
 * k·aDepthStride. Four rows of b are taken at a time and stay in the first cache for all rows of a.
 */
export function multiplyByUpdates(
  a: usize, aRowStride: usize, aDepthStride: usize, b: usize, bStride: usize, c: usize, cStride: usize,
  rows: i32, columns: i32, depth: i32, accumulate: i32,
): void {
  if (!accumulate) {
    for (let i = 0; i < rows; i++) memory.fill(c + <usize>i * cStride, 0, <usize>columns << 2);
  }
  for (; depth >= 4; depth -= 4) {
    for (let i = 0; i < rows; i++) {
      update4(a + <usize>i * aRowStride, aDepthStride, b, bStride, c + <usize>i * cStride, columns);
    }
    a += 4 * aDepthStride;
    b += 4 * bStride;
  }
  for (; depth > 0; depth--) {
    for (let i = 0; i < rows; i++) {
      update1(load<f32>(a + <usize>i * aRowStride), b, c + <usize>i * cStride, columns);
    }
    a += aDepthStride;
    b += bStride;
  }
}

function update4(
  a: usize, aDepthStride: usize, b: usize, bStride: usize, c: usize, columns: i32,
): void {
  let b1 = b + bStride, b2 = b1 + bStride, b3 = b2 + bStride;
  const x0 = v128.load_splat<f32>(a);
  const x1 = v128.load_splat<f32>(a + aDepthStride);
  const x2 = v128.load_splat<f32>(a + 2 * aDepthStride);
  const x3 = v128.load_splat<f32>(a + 3 * aDepthStride);
  for (; columns >= 4; columns -= 4) {
    let sum = madd(x0, v128.load(b), v128.load(c));
    sum = madd(x1, v128.load(b1), sum);
    sum = madd(x2, v128.load(b2), sum);
    v128.store(c, madd(x3, v128.load(b3), sum));
    b += 16; b1 += 16; b2 += 16; b3 += 16; c += 16;
  }
  for (; columns > 0; columns--) {
    let sum = madd(x0, v128.load_splat<f32>(b), v128.load_splat<f32>(c));
    sum = madd(x1, v128.load_splat<f32>(b1), sum);
    sum = madd(x2, v128.load_splat<f32>(b2), sum);
    store<f32>(c, f32x4.extract_lane(madd(x3, v128.load_splat<f32>(b3), sum), 0));
    b += 4; b1 += 4; b2 += 4; b3 += 4; c += 4;
  }
}

function update1(value: f32, b: usize, c: usize, columns: i32): void {
  const x = f32x4.splat(value);
  for (; columns >= 4; columns -= 4) {
    v128.store(c, madd(x, v128.load(b), v128.load(c)));
    b += 16; c += 16;
  }
  for (; columns > 0; columns--) {
    const sum = madd(x, v128.load_splat<f32>(b), v128.load_splat<f32>(c));
    store<f32>(c, f32x4.extract_lane(sum, 0));
    b += 4; c += 4;
  }
}
