// Queries, keys and values of a layer, rotated, the latter two on their way into the cache. Items are heads:
// those of the queries, of the keys and of the values, in the order in which their rows lie in the matrix.
import { byteFormat, halfFormat, writeByteHead, headBytes, quadBytes } from './cached-bytes';
import { writeHalves } from './halves';
import {
  areApart, firstRowOf, matrixBytes, multiplyUnit, resultBytes, unitBytes, unitCount,
} from './units';

/**
 * query [Q, heads·headDim] from the first Q = `queries` rows of T = `count` of activations, and a key and a
 * value for row t into row places[t] of a cache of `cacheFormat`; cos and sin [T, rotaryDim/2]. `offset` is
 * what is added to bytes of a cache.
 */
export function attentionInputs(
  a: usize, matrix: usize, format: i32, count: i32, queries: i32, depth: i32,
  heads: i32, keyValueHeads: i32, headDim: i32, valueDim: i32, rotaryDim: i32, cos: usize, sin: usize,
  query: usize, keys: usize, values: usize, places: usize, cacheFormat: i32, offset: i32,
  scratch: usize, scratchBytes: usize, begin: i32, end: i32, thread: i32,
): void {
  const results = scratch + <usize>thread * scratchBytes;
  const kept = results + resultBytes(count);
  const widened = kept + (<usize>(count * max(headDim, valueDim)) << 2);
  for (let item = begin; item < end; item++) {
    const isQuery = item < heads;
    const isValue = item >= heads + keyValueHeads;
    const rows = isValue ? valueDim : headDim;
    const wanted = isQuery ? queries : count;
    const apart = areApart(format, wanted);
    const head = isQuery ? item : (item - heads) % keyValueHeads;
    const firstRow = isValue
      ? (heads + keyValueHeads) * headDim + head * valueDim
      : item * headDim;
    const out = isQuery ? query + (<usize>(head * headDim) << 2) : kept;
    const stride = <usize>(isQuery ? heads * headDim : rows) << 2;
    multiplyHead(
      format, a, wanted, matrix + matrixBytes(format, firstRow, depth), rows, depth, apart, widened,
      results, out, stride,
    );
    if (!isValue) {
      const half = (<usize>rotaryDim) << 1;
      for (let i: usize = 0; i < <usize>wanted; i++) {
        rotate(out + i * stride, cos + i * half, sin + i * half, half);
      }
    }
    if (isQuery) continue;
    const cache = isValue ? values : keys;
    for (let i: usize = 0; i < <usize>count; i++) {
      const row = load<i32>(places + (i << 2));
      writeHead(out + i * stride, cache, row, keyValueHeads, head, rows, cacheFormat, i32(isValue), offset);
    }
  }
}

/** out [count, rows] with `stride` bytes a row = rows of activations times the rows of a head. */
function multiplyHead(
  format: i32, a: usize, count: i32, matrix: usize, rows: i32, depth: i32, apart: i32,
  widened: usize, results: usize, out: usize, stride: usize,
): void {
  const units = unitCount(rows);
  for (let unit = 0; unit < units; unit++) {
    multiplyUnit(format, a, 0, 1, count, matrix, rows, depth, unit, apart, widened, results);
    for (let i: usize = 0; i < <usize>count; i++) {
      for (let block = 0; block < 4; block++) {
        const first = firstRowOf(apart, unit, block, units);
        const from = results + i * unitBytes + (<usize>block << 4);
        const to = out + i * stride + (<usize>first << 2);
        if (first + 4 <= rows) {
          v128.store(to, v128.load(from));
          continue;
        }
        for (let j: usize = 0; first + <i32>j < rows; j++) {
          store<f32>(to + (j << 2), load<f32>(from + (j << 2)));
        }
      }
    }
  }
}

/** A head of `columns` numbers to its place in a row of keys or values. */
function writeHead(
  from: usize, cache: usize, row: i32, heads: i32, head: i32, columns: i32, format: i32,
  areValues: i32, offset: i32,
): void {
  if (format == byteFormat) {
    const quad = cache + <usize>(row >> 2) * quadBytes(heads, columns);
    const own = quad + <usize>head * headBytes(columns);
    writeByteHead(from, own, <usize>row & 3, columns, areValues, offset);
    return;
  }
  const place = <usize>(row * heads + head) * <usize>columns;
  if (format == halfFormat) writeHalves(from, cache + (place << 1), columns);
  else memory.copy(cache + (place << 2), from, <usize>columns << 2);
}

/** As `rotary`, in its place: a head of two halves of `half` bytes, and what is not rotated. */
function rotate(x: usize, cos: usize, sin: usize, half: usize): void {
  for (let i: usize = 0; i < half; i += 4) {
    const c = load<f32>(cos + i), s = load<f32>(sin + i);
    const first = load<f32>(x + i), second = load<f32>(x + half + i);
    store<f32>(x + i, first * c - second * s);
    store<f32>(x + half + i, second * c + first * s);
  }
}
