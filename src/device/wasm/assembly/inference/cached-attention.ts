// Attention of few rows to a cache. All query heads of a group, of all rows of a sequence that are in the
// call, read its keys and values together and once; softmax on the fly over blocks of positions (Milakov &
// Gimelshein; FlashAttention). Long caches are cut into parts (FlashDecoding), so that threads share them.
//
// Four queries are the lanes of a vector wherever something is done for each query and position. Blocks
// begin at multiples of their size and what a row does not see counts as 0 exactly, so a row's sums are
// the same whichever rows are with it.
import { exp4 } from '../math';
import { addByteKeys, addByteValues, packByteQuery, packedQueryBytes } from './byte-tiles';
import { byteFormat, halfFormat, headBytes } from './cached-bytes';
import {
  addKeys, addValues, finish, packQuery, queryBytes, raised, widenHalves,
} from './cached-tiles';

/** Positions of a block. */
const blockSize: i32 = 32;
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
 * (exclusive) position, number of the partial result or −1, 0. Items are spans × key/value heads by `joined`
 * heads each, which lie side by side: one thread reads them together, as one stream. `format`: bytes of a
 * number of keys and values; `offset` is what is added to bytes. Partial results are `partialBytes` each;
 * every thread has `scratchBytes`.
 */
export function cachedAttention(
  query: usize, keys: usize, values: usize, table: usize, sinks: usize, out: usize, spans: usize,
  partials: usize, scratch: usize, heads: i32, keyValueHeads: i32, joined: i32, keyDim: i32,
  valueDim: i32, scale: f32, valueScale: f32, window: i32, pageSize: i32, width: i32, format: i32,
  offset: i32, scratchBytes: usize, partialBytes: usize, begin: i32, end: i32, thread: i32,
): void {
  const group = heads / keyValueHeads;
  const columns = (valueDim + 7) & ~7;
  const inBytes = format == byteFormat;
  const halves = i32(format == halfFormat);
  const packedBytes = inBytes ? packedQueryBytes(keyDim) : queryBytes(keyDim);
  scratch += <usize>thread * scratchBytes;
  const keyBytes = inBytes ? headBytes(keyDim) : <usize>(keyDim * format);
  const valueBytes = inBytes ? headBytes(valueDim) : <usize>(valueDim * format);
  // From one row to the next, or from one quad of rows.
  const keyStride = <usize>keyValueHeads * keyBytes, valueStride = <usize>keyValueHeads * valueBytes;
  const groups = keyValueHeads / joined;

  let touched = 0;
  for (let item = begin; item < end; item++) {
    const span = spans + <usize>(item / groups) * spanBytes;
    const firstHead = (item % groups) * joined;
    const firstRow = load<i32>(span), rows = load<i32>(span, 4);
    const position = load<i32>(span, 8);
    const pages = table + (<usize>(load<i32>(span, 12) * width) << 2);
    const from = load<i32>(span, 16), to = load<i32>(span, 20);
    const partial = load<i32>(span, 24);
    const queries = (rows * group + 3) & ~3;

    const packed = scratch;
    const scores = packed + <usize>(joined * queries) * packedBytes;
    const places = scores + <usize>(blockSize << 4);
    const bytes = places + <usize>(blockSize << 2);
    // Halves that several quads of queries read are widened once for all of them.
    const areWidened = halves && queries > 4;
    const order = bytes + <usize>(blockSize << 2);
    const wideKeys = order + <usize>(blockSize << 2);
    const wideValues = wideKeys + (halves ? <usize>(blockSize * keyDim) << 2 : 0);
    const own = wideValues + (halves ? <usize>(blockSize * valueDim) << 2 : 0);
    if (areWidened) for (let j = 0; j < blockSize; j++) store<i32>(order + (<usize>j << 2), j);
    const results = partial < 0
      ? own : partials + <usize>(partial * keyValueHeads + firstHead) * partialBytes;
    const toLargest = sumBytes(queries, columns);
    const toTotals = toLargest + (<usize>queries << 2);

    // Of four queries that are not all there, the others are 0.
    if (queries > rows * group) memory.fill(packed, 0, <usize>(joined * queries) * packedBytes);
    for (let h = 0; h < joined; h++) {
      const ownPacked = packed + <usize>(h * queries) * packedBytes;
      for (let q = 0; q < rows * group; q++) {
        const source = (firstRow + q / group) * heads + (firstHead + h) * group + q % group;
        const from = query + (<usize>(source * keyDim) << 2);
        if (inBytes) {
          packByteQuery(from, keyDim, scale, offset, q & 3, ownPacked + <usize>(q & ~3) * packedBytes);
        } else {
          packQuery(
            from, keyDim, halves ? scale * raised : scale, halves, ownPacked + <usize>q * packedBytes,
          );
        }
      }
      const sums = results + <usize>h * partialBytes;
      memory.fill(sums, 0, toLargest);
      for (let q: usize = 0; q < <usize>queries << 2; q += 16) {
        v128.store(sums + toLargest + q, f32x4.splat(lowest));
        v128.store(sums + toTotals + q, f32x4.splat(0));
      }
    }

    const itemKeys = keys + <usize>firstHead * keyBytes;
    const itemValues = values + <usize>firstHead * valueBytes;
    for (let block = from & ~(blockSize - 1); block < to; block += blockSize) {
      // Bytes come in whole quads of rows.
      const first = max(block, inBytes ? from & ~3 : from);
      let count = min(block + blockSize, to) - first;
      if (inBytes) count = (count + 3) & ~3;
      const unit = inBytes ? 2 : 0;
      findPlaces(places, pages, first >> unit, count >> unit, pageSize >> unit, width);
      touched += touchPlaces(
        places, count >> unit, itemKeys, keyStride, <usize>joined * keyBytes, itemValues, valueStride,
        <usize>joined * valueBytes,
      );
      for (let quad = 0; quad < joined * queries; quad += 4) {
        const h = quad / queries;
        const q = quad - h * queries;
        const headKeys = itemKeys + <usize>h * keyBytes, headValues = itemValues + <usize>h * valueBytes;
        const sums = results + <usize>h * partialBytes;
        const most = sums + toLargest + (<usize>q << 2);
        const own = packed + <usize>quad * packedBytes;
        if (areWidened && q == 0) {
          widenHalves(headKeys, keyStride, places, count, keyDim, wideKeys);
          widenHalves(headValues, valueStride, places, count, valueDim, wideValues);
        }
        if (inBytes) {
          addByteKeys(own, headKeys, keyStride, places, count >> 2, keyDim, scores);
        } else if (areWidened) {
          addKeys(
            own, packedBytes, wideKeys, <usize>keyDim << 2, order, count, keyDim, 0, scores,
          );
        } else {
          addKeys(own, packedBytes, headKeys, keyStride, places, count, keyDim, halves, scores);
        }
        mask(scores, first, count, position, q, group, rows, window);
        const before = v128.load(most);
        let now = before;
        for (let j = scores; j < scores + (<usize>count << 4); j += 16) {
          now = f32x4.pmax(now, v128.load(j));
        }
        v128.store(most, now);
        const kept = exp4(f32x4.sub(before, now));
        const ownSums = sums + sumBytes(q, columns);
        if (v128.any_true(f32x4.ne(before, now))) rescale(ownSums, columns, kept);
        const total = sums + toTotals + (<usize>q << 2);
        v128.store(total, f32x4.mul(v128.load(total), kept));
        if (inBytes) {
          addByteValues(
            scores, most, headValues, valueStride, places, count >> 2, valueDim, offset, bytes,
            ownSums, columns, total,
          );
        } else if (areWidened) {
          addValues(
            scores, most, wideValues, <usize>valueDim << 2, order, count, valueDim, 0, raised,
            ownSums, columns, total,
          );
        } else {
          addValues(
            scores, most, headValues, valueStride, places, count, valueDim, halves,
            halves ? raised : 1, ownSums, columns, total,
          );
        }
      }
    }
    if (partial >= 0) continue;
    for (let h = 0; h < joined; h++) {
      const sums = results + <usize>h * partialBytes;
      for (let q = 0; q < rows * group; q++) {
        const head = (firstHead + h) * group + q % group;
        const target = (firstRow + q / group) * heads + head;
        finish(
          sums + sumBytes(q, columns), load<f32>(sums + toLargest + (<usize>q << 2)),
          load<f32>(sums + toTotals + (<usize>q << 2)), sinks ? sinks + (<usize>head << 2) : 0,
          valueDim, valueScale, halves, out + (<usize>(target * valueDim) << 2),
        );
      }
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

/**
 * Reads a word of each line of `keyBytes` at `count` places of keys, and likewise of values: all at once they
 * come at the rate of memory, which they would not between computations. The sum is for the compiler.
 */
function touchPlaces(
  places: usize, count: i32, keys: usize, keyStride: usize, keyBytes: usize, values: usize,
  valueStride: usize, valueBytes: usize,
): i32 {
  let sum = 0;
  for (const end = places + (<usize>count << 2); places < end; places += 4) {
    const place = <usize>load<i32>(places);
    const key = keys + place * keyStride, value = values + place * valueStride;
    for (let i: usize = 0; i < keyBytes; i += 64) sum += load<i32>(key + i);
    for (let i: usize = 0; i < valueBytes; i += 64) sum += load<i32>(value + i);
  }
  return sum;
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
