// Attention forward: softmax on the fly over blocks of keys (Milakov & Gimelshein; FlashAttention), so
// that scores are kept for six rows and one block of keys only.
//
// A work item is a span of one sequence's rows for one key/value head. The span's rows times the query
// heads of the group are its "rows" r = token·group + head: each block of keys is read and repacked once
// for all of them.
import { exp4, exponentiate8, spreadLargest } from '../math';
import { sumLanes } from '../simd';
import { packInterleaved, packRows, packTransposed } from './pack';
import { finishRows, startRows } from './softmax';
import { keyBlock, keyBlockBytes, scoreTile, weightTile } from './tile';

// Arguments of the launch. Every thread has its own instance, so globals are the thread's.
let group: i32 = 0;
let keyDim: i32 = 0;
let valueDim: i32 = 0;
let paddedValueDim: i32 = 0;
let window: i32 = 0;

// The span.
let firstRow: i32 = 0;
let tokens: i32 = 0;
let firstPosition: i32 = 0;
let pastLength: i32 = 0;
let tableRow: usize = 0;

// Where keys and values of this head are, of the call and of the past.
let ownKeys: usize = 0;
let ownValues: usize = 0;
let pastKeys: usize = 0;
let pastValues: usize = 0;
let keyStride: usize = 0;
let valueStride: usize = 0;
let pageSize: i32 = 0;
let tableWidth: i32 = 0;

// Parts of the thread's scratch memory.
let packedQuery: usize = 0;
let packedKeys: usize = 0;
let packedValues: usize = 0;
let scores: usize = 0;

// The running softmax of each row: Σ p·v [rows, paddedValueDim], largest score, Σ p (f64).
let sums: usize = 0;
let largest: usize = 0;
let totals: usize = 0;

/**
 * `spans` i32 [n, 8]: first row, rows, position of the first row, past length, row of the page table,
 * first and last (exclusive) key position, and the number of its partial result, or −1 if the span has
 * all its keys. `scratchBytes` a thread; partial results are `partialBytes` each: see `attentionMerge`.
 */
export function attention(
  query: usize, key: usize, value: usize, sinks: usize, out: usize, logSumExp: usize,
  keys: usize, values: usize, table: usize, spans: usize, partials: usize, scratch: usize,
  heads: i32, keyValueHeads: i32, keyColumns: i32, valueColumns: i32, scale: f32, valueScale: f32,
  windowSize: i32, page: i32, width: i32, scratchBytes: i32, partialBytes: i32, maximumRows: i32,
  begin: i32, end: i32, thread: i32,
): void {
  group = heads / keyValueHeads;
  keyDim = keyColumns;
  valueDim = valueColumns;
  paddedValueDim = (valueDim + 7) & ~7;
  window = windowSize;
  pageSize = page;
  tableWidth = width;
  keyStride = (<usize>(keyValueHeads * keyDim)) << 2;
  valueStride = (<usize>(keyValueHeads * valueDim)) << 2;
  const rowsOfTiles = <usize>((maximumRows + 5) / 6 * 6);
  packedQuery = scratch + <usize>thread * <usize>scratchBytes;
  packedKeys = packedQuery + ((rowsOfTiles * <usize>keyDim) << 2);
  packedValues = packedKeys + <usize>keyDim * keyBlockBytes;
  scores = packedValues + <usize>paddedValueDim * keyBlockBytes;
  const ownSums = scores + 6 * keyBlockBytes;

  for (let item = begin; item < end; item++) {
    const span = spans + ((<usize>(item / keyValueHeads)) << 5);
    const keyHead = item % keyValueHeads;
    firstRow = load<i32>(span);
    tokens = load<i32>(span, 4);
    firstPosition = load<i32>(span, 8);
    pastLength = load<i32>(span, 12);
    tableRow = table + ((<usize>(load<i32>(span, 16) * width)) << 2);
    const keyBegin = load<i32>(span, 20);
    const keyEnd = load<i32>(span, 24);
    const partial = load<i32>(span, 28);

    const keyOffset = (<usize>(keyHead * keyDim)) << 2;
    const valueOffset = (<usize>(keyHead * valueDim)) << 2;
    ownKeys = key + keyOffset;
    ownValues = value + valueOffset;
    pastKeys = keys + keyOffset;
    pastValues = values + valueOffset;
    sums = partial < 0
      ? ownSums
      : partials + <usize>(partial * keyValueHeads + keyHead) * <usize>partialBytes;
    totals = sums + ((rowsOfTiles * <usize>paddedValueDim) << 2);
    largest = totals + (rowsOfTiles << 3);

    const rows = tokens * group;
    const firstHead = firstRow * heads + keyHead * group;
    const groupQuery = query + ((<usize>firstHead * <usize>keyDim) << 2);
    packInterleaved(groupQuery, (<usize>(heads * keyDim)) << 2, group, rows, keyDim, scale, packedQuery);
    // Of several partial results none has the sink; it is added when they are merged.
    const ownSinks = partial < 0 && sinks ? sinks + ((<usize>(keyHead * group)) << 2) : 0;
    startRows(sums, totals, largest, rows, group, paddedValueDim, ownSinks);
    // Blocks end at multiples of their size, so that a row's sums are the same in whichever span it is.
    for (let from = keyBegin, to = 0; from < keyEnd; from = to) {
      to = min((from / keyBlock + 1) * keyBlock, keyEnd);
      attendToBlock(from, to, rows);
    }
    if (partial < 0) {
      finishRows(
        sums, totals, largest, rows, group, valueDim, valueScale, out, logSumExp, firstHead, heads,
      );
    }
  }
}

/** Takes keys and values at positions `from` to `to`, at most a block, into the sums of all rows. */
function attendToBlock(from: i32, to: i32, rows: i32): void {
  packBlock(from, to);
  const valueBytes = (<usize>paddedValueDim) << 2;
  const tileBytes = <usize>keyDim * 24;
  let queryTile = packedQuery;
  for (let r = 0; r < rows; r += 6, queryTile += tileBytes) {
    const last = min(r + 5, rows - 1);
    let token = r / group;
    let head = r - token * group;
    // Keys that any of the six rows sees, as columns of the block.
    const first = max(firstVisible(token) - from, 0);
    const end = min(firstPosition + last / group + 1, to) - from;
    if (first >= end) continue;
    const columns = (<usize>(first & ~7)) << 2;
    const columnsEnd = (<usize>((end + 7) & ~7)) << 2;
    for (let c = columns; c < columnsEnd; c += 32) {
      scoreTile(queryTile, packedKeys + c, scores + c, keyDim);
    }
    for (let row = r; row <= last; row++) {
      const seen = (<usize>max(firstVisible(token) - from, 0)) << 2;
      const seenEnd = (<usize>max(min(firstPosition + token + 1, to) - from, 0)) << 2;
      const rowScores = scores + <usize>(row - r) * keyBlockBytes;
      for (let c = columns; c < min(seen, columnsEnd); c += 4) store<f32>(rowScores + c, -Infinity);
      for (let c = max(seenEnd, columns); c < columnsEnd; c += 4) {
        store<f32>(rowScores + c, -Infinity);
      }
      updateRow(row, rowScores + columns, rowScores + columnsEnd);
      if (++head == group) {
        head = 0;
        token++;
      }
    }
    const weights = scores + ((<usize>first) << 2);
    const values = packedValues + <usize>first * valueBytes;
    const tileSums = sums + <usize>r * valueBytes;
    for (let c: usize = 0; c < valueBytes; c += 32) {
      weightTile(weights, values + c, valueBytes, tileSums + c, valueBytes, end - first);
    }
  }
}

/** The first position that a token of the span sees. */
// @ts-ignore: decorator
@inline
function firstVisible(token: i32): i32 {
  return max(firstPosition + token - window + 1, 0);
}

/** Turns scores of a row into weights, relative to the row's largest score so far. */
function updateRow(row: i32, from: usize, to: usize): void {
  const atLargest = largest + ((<usize>row) << 2);
  const atTotal = totals + ((<usize>row) << 3);
  let best = v128.load(from);
  let otherBest = v128.load(from, 16);
  for (let at = from + 32; at < to; at += 32) {
    best = f32x4.pmax(best, v128.load(at));
    otherBest = f32x4.pmax(otherBest, v128.load(at, 16));
  }
  const before = v128.load32_splat(atLargest);
  const now = f32x4.pmax(before, spreadLargest(f32x4.pmax(best, otherBest)));
  if (v128.any_true(f32x4.gt(now, before))) {
    v128.store32_lane(atLargest, now, 0);
    const shrink = exp4(f32x4.sub(before, now));
    store<f64>(atTotal, load<f64>(atTotal) * <f64>f32x4.extract_lane(shrink, 0));
    let at = sums + ((<usize>(row * paddedValueDim)) << 2);
    for (let i = paddedValueDim; i > 0; i -= 4, at += 16) {
      v128.store(at, f32x4.mul(v128.load(at), shrink));
    }
  }
  let total = f32x4.splat(0);
  for (let at = from; at < to; at += 32) total = f32x4.add(total, exponentiate8(at, now));
  store<f64>(atTotal, load<f64>(atTotal) + <f64>sumLanes(total));
}

/** Packs keys and values at positions `from` to `to`, which are contiguous within a page. */
function packBlock(from: i32, to: i32): void {
  let position = from;
  while (position < to) {
    let keys: usize, values: usize, count: i32;
    if (position < pastLength) {
      const page = load<i32>(tableRow + ((<usize>(position / pageSize % tableWidth)) << 2));
      const inPage = position % pageSize;
      const row = <usize>(page * pageSize + inPage);
      keys = pastKeys + row * keyStride;
      values = pastValues + row * valueStride;
      count = min(pageSize - inPage, min(to, pastLength) - position);
    } else {
      const row = <usize>(firstRow + position - firstPosition);
      keys = ownKeys + row * keyStride;
      values = ownValues + row * valueStride;
      count = to - position;
    }
    const column = <usize>(position - from);
    packTransposed(keys, keyStride, count, keyDim, packedKeys + (column << 2));
    const target = packedValues + ((column * <usize>paddedValueDim) << 2);
    packRows(values, valueStride, 1, count, valueDim, paddedValueDim, 1, target);
    position += count;
  }
}
