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
  const last = count - count % 6;
  if (last < count) memory.fill(to + <usize>(last / 6) * tileBytes, 0, tileBytes);
  let lane: usize = 0;
  let tile = to;
  for (let r = 0; r < count; r += groupRows, from += tokenStride) {
    let row = from;
    for (let g = 0; g < groupRows; g++, row += rowBytes) {
      let target = tile + lane;
      for (let at = row; at < row + rowBytes; at += 4, target += 24) {
        store<f32>(target, load<f32>(at) * scale);
      }
      lane += 4;
      if (lane == 24) {
        lane = 0;
        tile += tileBytes;
      }
    }
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
