// Attention of few rows to a cache. All query heads of a group, of all rows of a sequence that are in the
// call, read its keys and values together and once; softmax on the fly over blocks of positions (Milakov &
// Gimelshein; FlashAttention). Long caches are cut into parts (FlashDecoding), so that threads share them.
//
// Four queries are the lanes of a vector wherever something is done for each query and position. Blocks
// begin at multiples of their size and what a row does not see counts as 0 exactly, so a row's sums are
// the same whichever rows are with it.
import { exp4 } from '../math';
import { madd } from '../simd';
import {
  addByteKeys, addByteValues, headBytes, packByteQuery, packedQueryBytes, quadBytes, touchQuads,
} from './cached-bytes';
import { addKeys, addValues, queryBytes, raised } from './cached-tiles';

/** Positions of a block. */
const blockSize: i32 = 32;
/** Formats of a cache, by the bytes of its numbers. */
const halfFormat: i32 = 2;
const byteFormat: i32 = 1;

/** Scores of what a row does not see, and what the largest score begins with. */
const unseen: f32 = -3e38;
const lowest: f32 = -1e30;

const spanBytes: usize = 32;

/** Bytes of a partial result: sums [queries, values], then the largest scores and the totals. */
// @ts-ignore: decorator
@inline
function sumBytes(queries: i32, values: i32): usize {
  return (<usize>queries * <usize>values) << 2;
}

/**
 * `spans` i32 [n,8]: first row, rows, position of the first, row of the page table, first and last
 * (exclusive) position, number of the partial result or −1, 0. Items are spans × key/value heads. `format`:
 * bytes of a number of keys and values; `offset` is what is added to bytes. Partial results are `partialBytes` each; every thread has `scratchBytes`.
 */
export function cachedAttention(
  query: usize, keys: usize, values: usize, table: usize, sinks: usize, out: usize, spans: usize,
  partials: usize, scratch: usize, heads: i32, keyValueHeads: i32, keyDim: i32, valueDim: i32,
  scale: f32, valueScale: f32, window: i32, pageSize: i32, width: i32, format: i32, offset: i32,
  scratchBytes: usize, partialBytes: usize, begin: i32, end: i32, thread: i32,
): void {
  const group = heads / keyValueHeads;
  const columns = (valueDim + 7) & ~7;
  const inBytes = format == byteFormat;
  const halves = i32(format == halfFormat);
  const packedBytes = inBytes ? packedQueryBytes(keyDim) : queryBytes(keyDim);
  scratch += <usize>thread * scratchBytes;
  // From one row to the next, or from one quad of rows.
  const keyStride = inBytes
    ? quadBytes(keyValueHeads, keyDim) : <usize>(keyValueHeads * keyDim * format);
  const valueStride = inBytes
    ? quadBytes(keyValueHeads, valueDim) : <usize>(keyValueHeads * valueDim * format);

  let touched = 0;
  for (let item = begin; item < end; item++) {
    const span = spans + <usize>(item / keyValueHeads) * spanBytes;
    const head = item % keyValueHeads;
    const firstRow = load<i32>(span), rows = load<i32>(span, 4);
    const position = load<i32>(span, 8);
    const pages = table + (<usize>(load<i32>(span, 12) * width) << 2);
    const from = load<i32>(span, 16), to = load<i32>(span, 20);
    const partial = load<i32>(span, 24);
    const queries = (rows * group + 3) & ~3;

    const packed = scratch;
    const scores = packed + <usize>queries * packedBytes;
    const places = scores + <usize>(blockSize << 4);
    const weights = places + <usize>(blockSize << 2);
    const own = weights + <usize>(blockSize << 2);
    const sums = partial < 0 ? own : partials + <usize>(partial * keyValueHeads + head) * partialBytes;
    const largest = sums + sumBytes(queries, columns);
    const totals = largest + (<usize>queries << 2);

    const firstHead = firstRow * heads + head * group;
    for (let q = 0; q < queries; q++) {
      const to = packed + <usize>q * packedBytes;
      if (q < rows * group) {
        const source = firstHead + (q / group) * heads + q % group;
        const from = query + (<usize>(source * keyDim) << 2);
        if (inBytes) packByteQuery(from, keyDim, scale, offset, to);
        else packQuery(from, keyDim, halves ? scale * raised : scale, halves, to);
      } else {
        memory.fill(to, 0, packedBytes);
      }
      store<f32>(largest + (<usize>q << 2), lowest);
      store<f32>(totals + (<usize>q << 2), 0);
    }
    memory.fill(sums, 0, sumBytes(queries, columns));

    const headKeys = keys
      + (inBytes ? <usize>head * headBytes(keyDim) : <usize>(head * keyDim * format));
    const headValues = values
      + (inBytes ? <usize>head * headBytes(valueDim) : <usize>(head * valueDim * format));
    for (let block = from & ~(blockSize - 1); block < to; block += blockSize) {
      // Bytes come in whole quads of rows.
      const first = max(block, inBytes ? from & ~3 : from);
      let count = min(block + blockSize, to) - first;
      if (inBytes) {
        count = (count + 3) & ~3;
        findPlaces(places, pages, first >> 2, count >> 2, pageSize >> 2, width);
        touched += touchQuads(
          places, count >> 2, headKeys, keyStride, keyDim, headValues, valueStride, valueDim,
        );
      } else {
        findPlaces(places, pages, first, count, pageSize, width);
      }
      for (let q = 0; q < queries; q += 4) {
        const most = largest + (<usize>q << 2);
        const own = packed + <usize>q * packedBytes;
        if (inBytes) {
          addByteKeys(own, headKeys, keyStride, places, count >> 2, keyDim, scores);
        } else {
          addKeys(own, packedBytes, headKeys, keyStride, places, count, keyDim, halves, scores);
        }
        mask(scores, first, count, position, q, group, rows, window);
        const before = v128.load(most);
        let now = before;
        for (let j = scores; j < scores + (<usize>count << 4); j += 16) {
          now = f32x4.pmax(now, v128.load(j));
        }
        let total = f32x4.splat(0);
        for (let j = scores; j < scores + (<usize>count << 4); j += 16) {
          const p = exp4(f32x4.sub(v128.load(j), now));
          total = f32x4.add(total, p);
          v128.store(j, p);
        }
        const kept = exp4(f32x4.sub(before, now));
        const sum = totals + (<usize>q << 2);
        v128.store(sum, madd(v128.load(sum), kept, total));
        v128.store(most, now);
        const ownSums = sums + sumBytes(q, columns);
        if (v128.any_true(f32x4.ne(before, now))) rescale(ownSums, columns, kept);
        if (inBytes) {
          addByteValues(
            scores, headValues, valueStride, places, count >> 2, valueDim, offset, weights, ownSums,
            columns,
          );
        } else {
          addValues(
            scores, headValues, valueStride, places, count, valueDim, halves, ownSums, columns,
          );
        }
      }
    }
    if (partial >= 0) continue;
    for (let q = 0; q < rows * group; q++) {
      const target = firstHead + (q / group) * heads + q % group;
      const sink = sinks ? sinks + (<usize>(head * group + q % group) << 2) : 0;
      finish(
        sums + sumBytes(q, columns), load<f32>(largest + (<usize>q << 2)),
        load<f32>(totals + (<usize>q << 2)), sink, valueDim, valueScale, halves,
        out + (<usize>(target * valueDim) << 2),
      );
    }
  }
  store<i32>(scratch, touched);
}

/**
 * Joins partial results. `merges` i32 [n,4]: first row, rows, first partial result, how many. Items are
 * merges × key/value heads.
 */
export function mergeCachedAttention(
  partials: usize, merges: usize, sinks: usize, out: usize, heads: i32, keyValueHeads: i32,
  valueDim: i32, valueScale: f32, halves: i32, partialBytes: usize,
  begin: i32, end: i32, _thread: i32,
): void {
  const group = heads / keyValueHeads;
  const columns = (valueDim + 7) & ~7;
  for (let item = begin; item < end; item++) {
    const merge = merges + (<usize>(item / keyValueHeads) << 4);
    const head = item % keyValueHeads;
    const firstRow = load<i32>(merge), rows = load<i32>(merge, 4);
    const queries = (rows * group + 3) & ~3;
    const first = partials + <usize>(load<i32>(merge, 8) * keyValueHeads + head) * partialBytes;
    const step = <usize>keyValueHeads * partialBytes;
    const last = first + <usize>load<i32>(merge, 12) * step;
    for (let q = 0; q < rows * group; q++) {
      const atLargest = sumBytes(queries, columns) + (<usize>q << 2);
      const atTotal = atLargest + (<usize>queries << 2);
      let largest = lowest;
      for (let p = first; p < last; p += step) largest = max(largest, load<f32>(p + atLargest));
      let total: f32 = 0;
      // The first partial result takes up the others.
      const sums = first + sumBytes(q, columns);
      for (let p = first; p < last; p += step) {
        const difference = f32x4.splat(load<f32>(p + atLargest) - largest);
        const factor = exp4(difference);
        total += load<f32>(p + atTotal) * f32x4.extract_lane(factor, 0);
        const other = p + sumBytes(q, columns);
        for (let i: usize = 0; i < sumBytes(1, columns); i += 16) {
          const scaled = f32x4.mul(v128.load(other + i), factor);
          v128.store(sums + i, p == first ? scaled : f32x4.add(v128.load(sums + i), scaled));
        }
      }
      const target = (firstRow + q / group) * heads + head * group + q % group;
      const sink = sinks ? sinks + (<usize>(head * group + q % group) << 2) : 0;
      finish(
        sums, largest, total, sink, valueDim, valueScale, halves,
        out + (<usize>(target * valueDim) << 2),
      );
    }
  }
}

/** Where the rows of `count` positions from `first` on lie. */
function findPlaces(
  places: usize, pages: usize, first: i32, count: i32, pageSize: i32, width: i32,
): void {
  let page = first / pageSize;
  let within = first - page * pageSize;
  page %= width;
  let base = load<i32>(pages + (<usize>page << 2)) * pageSize;
  for (let j = 0; j < count; j++) {
    store<i32>(places + (<usize>j << 2), base + within);
    if (++within == pageSize) {
      within = 0;
      if (++page == width) page = 0;
      base = load<i32>(pages + (<usize>page << 2)) * pageSize;
    }
  }
}

/** Scores that queries q to q + 3 do not see become `unseen`, unless they see all of the block. */
function mask(
  scores: usize, first: i32, count: i32, position: i32, q: i32, group: i32, rows: i32, window: i32,
): void {
  const lastRow = rows - 1;
  const firstToken = min(q / group, lastRow), lastToken = min((q + 3) / group, lastRow);
  const beginAll = position + lastToken - window + 1;
  if (first + count - 1 <= position + firstToken && first >= beginAll) return;
  const own = i32x4(
    position + firstToken, position + min((q + 1) / group, lastRow),
    position + min((q + 2) / group, lastRow), position + lastToken,
  );
  const begins = i32x4.sub(own, i32x4.splat(window - 1));
  const none = f32x4.splat(unseen);
  for (let j = 0; j < count; j++) {
    const at = i32x4.splat(first + j);
    const seen = v128.and(i32x4.le_s(at, own), i32x4.ge_s(at, begins));
    const score = scores + (<usize>j << 4);
    v128.store(score, v128.bitselect(v128.load(score), none, seen));
  }
}

function rescale(sums: usize, columns: i32, factors: v128): void {
  const bytes = <usize>columns << 2;
  for (let q = 0; q < 4; q++) {
    const factor = v128.swizzle(
      factors, i8x16.add(i8x16.splat(<i8>(q << 2)), i8x16(0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3)),
    );
    for (let i: usize = 0; i < bytes; i += 16) {
      v128.store(sums + i, f32x4.mul(v128.load(sums + i), factor));
    }
    sums += bytes;
  }
}

/** out = valueScale · sums / (total, and the sink if there is one). */
function finish(
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
  for (let i = 0; i < valueDim; i++) {
    // Sums of halves have the even ones of eight first.
    const from = halves ? (i & ~7) + ((i & 1) << 2) + ((i & 7) >> 1) : i;
    store<f32>(out + (<usize>i << 2), load<f32>(sums + (<usize>from << 2)) * factor);
  }
}

/** A query times `scale`, in the order in which keys are read. */
function packQuery(from: usize, keyDim: i32, scale: f32, halves: i32, to: usize): void {
  memory.fill(to, 0, queryBytes(keyDim));
  for (let i = 0; i < keyDim; i++) {
    const place = halves ? (i & ~7) + ((i & 1) << 2) + ((i & 7) >> 1) : i;
    store<f32>(to + (<usize>place << 2), load<f32>(from + (<usize>i << 2)) * scale);
  }
}
