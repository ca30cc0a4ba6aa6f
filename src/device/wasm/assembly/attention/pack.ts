// Copies of queries, keys and values in the layouts that tiles read.
import { keyBlockBytes } from './tile';

/**
 * Rows [count, columns], `groupRows` at a time next to each other and tokens `tokenStride` bytes apart,
 * times `scale`, interleaved by six: element (r, k) goes to [⌊r/6⌋, k, r mod 6]. Rows that fill up the
 * last six are zeros.
 */
export function packInterleaved(
  from: usize, tokenStride: usize, groupRows: i32, count: i32, columns: i32, scale: f32, to: usize,
): void {
  const rowBytes = (<usize>columns) << 2;
  const tileBytes = rowBytes * 6;
  // Bytes from the last row of a token to the first of the next.
  const step = tokenStride - <usize>(groupRows - 1) * rowBytes;
  let left = groupRows;
  let row = from;
  let r = 0;
  for (; r + 6 <= count; r += 6, to += tileBytes) {
    const r0 = row;
    if (--left) row += rowBytes; else { row += step; left = groupRows; }
    const r1 = row;
    if (--left) row += rowBytes; else { row += step; left = groupRows; }
    const r2 = row;
    if (--left) row += rowBytes; else { row += step; left = groupRows; }
    const r3 = row;
    if (--left) row += rowBytes; else { row += step; left = groupRows; }
    const r4 = row;
    if (--left) row += rowBytes; else { row += step; left = groupRows; }
    const r5 = row;
    if (--left) row += rowBytes; else { row += step; left = groupRows; }
    interleave(r0, r1, r2, r3, r4, r5, rowBytes, scale, to);
  }
  if (r == count) return;
  memory.fill(to, 0, tileBytes);
  for (let lane: usize = 0; r < count; r++, lane += 4) {
    let target = to + lane;
    for (let at = row; at < row + rowBytes; at += 4, target += 24) {
      store<f32>(target, load<f32>(at) * scale);
    }
    if (--left) row += rowBytes; else { row += step; left = groupRows; }
  }
}

/** One tile of `packInterleaved`: six rows become columns, four elements at a time. */
function interleave(
  r0: usize, r1: usize, r2: usize, r3: usize, r4: usize, r5: usize,
  rowBytes: usize, scale: f32, to: usize,
): void {
  const scales = f32x4.splat(scale);
  let k: usize = 0;
  for (; k + 16 <= rowBytes; k += 16, to += 96) {
    const v0 = f32x4.mul(v128.load(r0 + k), scales);
    const v1 = f32x4.mul(v128.load(r1 + k), scales);
    const v2 = f32x4.mul(v128.load(r2 + k), scales);
    const v3 = f32x4.mul(v128.load(r3 + k), scales);
    const v4 = f32x4.mul(v128.load(r4 + k), scales);
    const v5 = f32x4.mul(v128.load(r5 + k), scales);
    const low01 = v128.shuffle<f32>(v0, v1, 0, 4, 1, 5);
    const high01 = v128.shuffle<f32>(v0, v1, 2, 6, 3, 7);
    const low23 = v128.shuffle<f32>(v2, v3, 0, 4, 1, 5);
    const high23 = v128.shuffle<f32>(v2, v3, 2, 6, 3, 7);
    const low45 = v128.shuffle<f32>(v4, v5, 0, 4, 1, 5);
    const high45 = v128.shuffle<f32>(v4, v5, 2, 6, 3, 7);
    v128.store(to, v128.shuffle<f32>(low01, low23, 0, 1, 4, 5));
    v128.store64_lane(to, low45, 0, 16);
    v128.store(to, v128.shuffle<f32>(low01, low23, 2, 3, 6, 7), 24);
    v128.store64_lane(to, low45, 1, 40);
    v128.store(to, v128.shuffle<f32>(high01, high23, 0, 1, 4, 5), 48);
    v128.store64_lane(to, high45, 0, 64);
    v128.store(to, v128.shuffle<f32>(high01, high23, 2, 3, 6, 7), 72);
    v128.store64_lane(to, high45, 1, 88);
  }
  for (; k < rowBytes; k += 4, to += 24) {
    store<f32>(to, load<f32>(r0 + k) * scale);
    store<f32>(to, load<f32>(r1 + k) * scale, 4);
    store<f32>(to, load<f32>(r2 + k) * scale, 8);
    store<f32>(to, load<f32>(r3 + k) * scale, 12);
    store<f32>(to, load<f32>(r4 + k) * scale, 16);
    store<f32>(to, load<f32>(r5 + k) * scale, 20);
  }
}

/** The same rows, times `scale`, as rows of `paddedColumns`, a multiple of 4; zeros fill them up. */
export function packRows(
  from: usize, tokenStride: usize, groupRows: i32, count: i32, columns: i32, paddedColumns: i32,
  scale: f32, to: usize,
): void {
  const rowBytes = (<usize>columns) << 2;
  const padding = ((<usize>paddedColumns) << 2) - rowBytes;
  const scales = f32x4.splat(scale);
  for (let r = 0; r < count; r += groupRows, from += tokenStride) {
    let at = from;
    for (let g = 0; g < groupRows; g++) {
      const end = at + rowBytes;
      for (; at + 16 <= end; at += 16, to += 16) {
        v128.store(to, f32x4.mul(v128.load(at), scales));
      }
      for (; at < end; at += 4, to += 4) store<f32>(to, load<f32>(at) * scale);
      for (let i: usize = 0; i < padding; i += 4, to += 4) store<f32>(to, 0);
    }
  }
}

/** Rows [count, columns], `stride` bytes apart, transposed into columns of a block of keys. */
export function packTransposed(
  from: usize, stride: usize, count: i32, columns: i32, to: usize,
): void {
  const rowBytes = (<usize>columns) << 2;
  let left = count;
  for (; left >= 4; left -= 4, from += 4 * stride, to += 16) {
    let target = to;
    let k: usize = 0;
    for (; k + 16 <= rowBytes; k += 16, target += 4 * keyBlockBytes) {
      const r0 = v128.load(from + k);
      const r1 = v128.load(from + k + stride);
      const r2 = v128.load(from + k + 2 * stride);
      const r3 = v128.load(from + k + 3 * stride);
      const low01 = v128.shuffle<f32>(r0, r1, 0, 4, 1, 5);
      const high01 = v128.shuffle<f32>(r0, r1, 2, 6, 3, 7);
      const low23 = v128.shuffle<f32>(r2, r3, 0, 4, 1, 5);
      const high23 = v128.shuffle<f32>(r2, r3, 2, 6, 3, 7);
      v128.store(target, v128.shuffle<f32>(low01, low23, 0, 1, 4, 5));
      v128.store(target, v128.shuffle<f32>(low01, low23, 2, 3, 6, 7), 384);
      v128.store(target, v128.shuffle<f32>(high01, high23, 0, 1, 4, 5), 768);
      v128.store(target, v128.shuffle<f32>(high01, high23, 2, 3, 6, 7), 1152);
    }
    for (; k < rowBytes; k += 4, target += keyBlockBytes) {
      store<f32>(target, load<f32>(from + k));
      store<f32>(target, load<f32>(from + k + stride), 4);
      store<f32>(target, load<f32>(from + k + 2 * stride), 8);
      store<f32>(target, load<f32>(from + k + 3 * stride), 12);
    }
  }
  for (; left > 0; left--, from += stride, to += 4) {
    let target = to;
    for (let at = from; at < from + rowBytes; at += 4, target += keyBlockBytes) {
      store<f32>(target, load<f32>(at));
    }
  }
}
