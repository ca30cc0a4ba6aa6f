// Packing: copies a block of a matrix into panels, [panels][depth][width], so that the tile loop reads
// both factors from beginning to end. Panels that the matrix cuts off are filled up with zeros.

/** Rows of four of a 4×4 block become its columns. */
// @ts-ignore: decorator
@inline
function storeTransposed(r0: v128, r1: v128, r2: v128, r3: v128, to: usize, stride: usize): void {
  const low01 = v128.shuffle<f32>(r0, r1, 0, 4, 1, 5);
  const high01 = v128.shuffle<f32>(r0, r1, 2, 6, 3, 7);
  const low23 = v128.shuffle<f32>(r2, r3, 0, 4, 1, 5);
  const high23 = v128.shuffle<f32>(r2, r3, 2, 6, 3, 7);
  v128.store(to, v128.shuffle<f64>(low01, low23, 0, 2));
  v128.store(to + stride, v128.shuffle<f64>(low01, low23, 1, 3));
  v128.store(to + 2 * stride, v128.shuffle<f64>(high01, high23, 0, 2));
  v128.store(to + 3 * stride, v128.shuffle<f64>(high01, high23, 1, 3));
}

/** Panels whose depth runs along the rows of the source: the 8 columns of Bᵀ, or the 6 rows of A. */
// @ts-ignore: decorator
@inline
function packAlongRows(
  source: usize, stride: usize, count: i32, depth: i32, to: usize, width: i32,
): void {
  for (; count >= width; count -= width) {
    let from = source;
    let k = depth;
    for (; k >= 4; k -= 4) {
      let row = from;
      const r0 = v128.load(row); row += stride;
      const r1 = v128.load(row); row += stride;
      const r2 = v128.load(row); row += stride;
      const r3 = v128.load(row); row += stride;
      storeTransposed(r0, r1, r2, r3, to, width * 4);
      const r4 = v128.load(row); row += stride;
      const r5 = v128.load(row); row += stride;
      if (width == 8) {
        const r6 = v128.load(row); row += stride;
        const r7 = v128.load(row);
        storeTransposed(r4, r5, r6, r7, to + 16, width * 4);
      } else {
        const low = v128.shuffle<f32>(r4, r5, 0, 4, 1, 5);
        const high = v128.shuffle<f32>(r4, r5, 2, 6, 3, 7);
        v128.store_lane<i64>(to, low, 0, 16);
        v128.store_lane<i64>(to, low, 1, 40);
        v128.store_lane<i64>(to, high, 0, 64);
        v128.store_lane<i64>(to, high, 1, 88);
      }
      from += 16;
      to += width * 16;
    }
    for (; k > 0; k--) {
      let row = from;
      for (let i = 0; i < width; i++) {
        store<f32>(to, load<f32>(row));
        row += stride;
        to += 4;
      }
      from += 4;
    }
    source += stride * width;
  }
  if (count > 0) packCutOff(source, 4, stride, count, depth, to, width);
}

/**
 * Panels whose depth runs across the rows of the source: the 8 columns of B, or the 6 rows of Aᵀ. Four
 * panels at a time, so that the lines of a row are used whole while they are in the cache.
 */
// @ts-ignore: decorator
@inline
function packAcrossRows(
  source: usize, stride: usize, count: i32, depth: i32, to: usize, width: i32,
): void {
  const panelBytes = <usize>(depth * width * 4);
  for (; count >= 4 * width; count -= 4 * width) {
    let from = source;
    let panel = to;
    for (let k = 0; k < depth; k++) {
      copyRow(from, panel, width);
      copyRow(from + width * 4, panel + panelBytes, width);
      copyRow(from + width * 8, panel + 2 * panelBytes, width);
      copyRow(from + width * 12, panel + 3 * panelBytes, width);
      from += stride;
      panel += width * 4;
    }
    source += width * 16;
    to += 4 * panelBytes;
  }
  for (; count >= width; count -= width) {
    let from = source;
    for (let k = 0; k < depth; k++) {
      copyRow(from, to, width);
      from += stride;
      to += width * 4;
    }
    source += width * 4;
  }
  if (count > 0) packCutOff(source, stride, 4, count, depth, to, width);
}

// @ts-ignore: decorator
@inline
function copyRow(from: usize, to: usize, width: i32): void {
  v128.store(to, v128.load(from));
  if (width == 8) v128.store(to, v128.load(from, 16), 16);
  else store<i64>(to, load<i64>(from, 16), 16);
}

function packCutOff(
  source: usize, depthStride: usize, countStride: usize, count: i32, depth: i32, to: usize,
  width: i32,
): void {
  for (let k = 0; k < depth; k++) {
    let from = source;
    for (let i = 0; i < width; i++) {
      store<f32>(to, i < count ? load<f32>(from) : 0);
      from += countStride;
      to += 4;
    }
    source += depthStride;
  }
}

/** Panels of 6 rows of A: a is [rows,depth], or [depth,rows] if transposed; stride in bytes. */
export function packA(
  a: usize, stride: usize, transposed: i32, rows: i32, depth: i32, to: usize,
): void {
  if (transposed) packAcrossRows(a, stride, rows, depth, to, 6);
  else packAlongRows(a, stride, rows, depth, to, 6);
}

/** Panels of 8 columns of B: b is [depth,columns], or [columns,depth] if transposed. */
export function packB(
  b: usize, stride: usize, transposed: i32, columns: i32, depth: i32, to: usize,
): void {
  if (transposed) packAlongRows(b, stride, columns, depth, to, 8);
  else packAcrossRows(b, stride, columns, depth, to, 8);
}
