// Attention backward: probabilities come again from the scores and logSumExp, block by block. With
// dP_j = valueScale·dOut·v_j and D = Σ P_j·dP_j = dOut·out:
//
//   dv_j += valueScale·P_j·dOut,  dA_j = P_j·(dP_j − D),  dq = scale·Σ dA_j·k_j,
//   dk_j += scale·dA_j·q,  dsink −= P_sink·D.
//
// A work item is a chunk of one sequence's rows for one key/value head. It finishes the gradient of its
// queries; that of keys and values, to which several chunks add, goes to a slab of the chunk's own, and
// `sumSlabs` adds the slabs in a fixed order. Rows are r = token·group + head, as in the forward pass.
import { addProducts64, exp64, exponentiate8, sumLanes64 } from '../math';
import { packInterleaved, packRows, packTransposed } from './pack';
import { keyBlock, keyBlockBytes, scoreTile, transposedTile, weightTile } from './tile';

// Arguments of the launch. Every thread has its own instance, so globals are the thread's.
let group: i32 = 0;
let keyDim: i32 = 0;
let valueDim: i32 = 0;
let keyBytes: usize = 0; // of a row of keyDim, padded to a multiple of 8
let valueBytes: usize = 0;
let window: i32 = 0;

// The rows at hand: their number, the position of the first, and what belongs to them.
let rows: i32 = 0;
let firstPosition: i32 = 0;
let queryTiles: usize = 0; // interleaved, times scale
let queryRows: usize = 0; // padded, times scale
let gradientTiles: usize = 0; // dOut, times valueScale
let gradientRows: usize = 0;
let dQueryRows: usize = 0;
let sums: usize = 0; // logSumExp and D of each row

// The block of keys at hand.
let keyRows: usize = 0;
let keyColumns: usize = 0;
let valueColumns: usize = 0;
let probabilities: usize = 0; // [rows, keyBlock]
let dScores: usize = 0; // dP, then dA

/**
 * `chunks` i32 [n, 8]: first row, rows, position of the first row, first key position, and the number of
 * keys in the slabs of the chunks before. A slab has, for each key/value head, dKey and dValue of keys
 * from the first to the chunk's last and six more. `sinkPartials` f64 [n, heads]. The thread's scratch
 * memory is `scratchBytes`; see `attentionBackwardScratch` on the host.
 */
export function attentionBackward(
  query: usize, key: usize, value: usize, sinks: usize, out: usize, logSumExp: usize, dOut: usize,
  dQuery: usize, chunks: usize, slabs: usize, sinkPartials: usize, scratch: usize,
  heads: i32, keyValueHeads: i32, keySize: i32, valueSize: i32, scale: f32, valueScale: f32,
  windowSize: i32, spanTokens: i32, scratchBytes: i32,
  begin: i32, end: i32, thread: i32,
): void {
  group = heads / keyValueHeads;
  keyDim = keySize;
  valueDim = valueSize;
  keyBytes = ((<usize>keyDim + 7) & ~7) << 2;
  valueBytes = ((<usize>valueDim + 7) & ~7) << 2;
  window = windowSize;
  divideScratch(scratch + <usize>thread * <usize>scratchBytes, spanTokens);

  for (let item = begin; item < end; item++) {
    const chunk = item / keyValueHeads;
    const keyHead = item % keyValueHeads;
    const entry = chunks + ((<usize>chunk) << 5);
    const chunkRow = load<i32>(entry);
    const chunkTokens = load<i32>(entry, 4);
    const chunkPosition = load<i32>(entry, 8);
    const keyBegin = load<i32>(entry, 12);
    const keysBefore = load<i32>(entry, 16);
    const keyCount = chunkPosition + chunkTokens - keyBegin + 6;
    const dKeys = slabs
      + <usize>(keysBefore * keyValueHeads + keyHead * keyCount) * (keyBytes + valueBytes);
    const dValues = dKeys + <usize>keyCount * keyBytes;
    memory.fill(dKeys, 0, <usize>keyCount * (keyBytes + valueBytes));
    const sinkPartial = sinkPartials + ((<usize>(chunk * heads + keyHead * group)) << 3);
    memory.fill(sinkPartial, 0, (<usize>group) << 3);
    const groupSinks = sinks ? sinks + ((<usize>(keyHead * group)) << 2) : 0;

    const sequenceRow = chunkRow - chunkPosition;
    const keyHeadRow = <usize>(sequenceRow * keyValueHeads + keyHead);
    const keys = key + ((keyHeadRow * <usize>keyDim) << 2);
    const values = value + ((keyHeadRow * <usize>valueDim) << 2);
    const keyStride = (<usize>(keyValueHeads * keyDim)) << 2;
    const valueStride = (<usize>(keyValueHeads * valueDim)) << 2;

    for (let token = 0; token < chunkTokens; token += spanTokens) {
      const tokens = min(spanTokens, chunkTokens - token);
      rows = tokens * group;
      firstPosition = chunkPosition + token;
      const firstHead = (chunkRow + token) * heads + keyHead * group;
      packSpan(query, out, logSumExp, dOut, firstHead, heads, scale, valueScale);
      if (groupSinks) addSinkGradient(groupSinks, sinkPartial);
      const last = firstPosition + tokens;
      for (let from = max(firstPosition - window + 1, 0); from < last; from += keyBlock) {
        const count = min(keyBlock, last - from);
        const atKeys = keys + <usize>from * keyStride;
        const atValues = values + <usize>from * valueStride;
        packRows(atKeys, keyStride, 1, count, keyDim, <i32>(keyBytes >> 2), 1, keyRows);
        packTransposed(atKeys, keyStride, count, keyDim, keyColumns);
        packTransposed(atValues, valueStride, count, valueDim, valueColumns);
        const inSlab = <usize>(from - keyBegin);
        backThroughRows(from, count);
        backToKeys(from, count, dKeys + inSlab * keyBytes, dValues + inSlab * valueBytes);
      }
      writeQueryGradient(dQuery, firstHead, heads, scale);
    }
  }
}

function divideScratch(scratch: usize, spanTokens: i32): void {
  const spanRows = <usize>((spanTokens * group + 5) / 6 * 6);
  queryTiles = scratch;
  queryRows = queryTiles + spanRows * keyBytes;
  dQueryRows = queryRows + spanRows * keyBytes;
  gradientTiles = dQueryRows + spanRows * keyBytes;
  gradientRows = gradientTiles + spanRows * valueBytes;
  sums = gradientRows + spanRows * valueBytes;
  probabilities = sums + (spanRows << 3);
  dScores = probabilities + spanRows * keyBlockBytes;
  keyRows = dScores + spanRows * keyBlockBytes;
  keyColumns = keyRows + <usize>keyBlock * keyBytes;
  valueColumns = keyColumns + <usize>keyBlock * keyBytes;
}

/** Packs queries and dOut, finds D of each row, and clears the gradient of the queries. */
function packSpan(
  query: usize, out: usize, logSumExp: usize, dOut: usize, firstHead: i32, heads: i32,
  scale: f32, valueScale: f32,
): void {
  const queries = query + ((<usize>firstHead * <usize>keyDim) << 2);
  const queryStride = (<usize>(heads * keyDim)) << 2;
  packInterleaved(queries, queryStride, group, rows, keyDim, scale, queryTiles);
  packRows(queries, queryStride, group, rows, keyDim, <i32>(keyBytes >> 2), scale, queryRows);
  const rowBytes = (<usize>valueDim) << 2;
  const gradients = dOut + <usize>firstHead * rowBytes;
  const stride = <usize>heads * rowBytes;
  packInterleaved(gradients, stride, group, rows, valueDim, valueScale, gradientTiles);
  packRows(gradients, stride, group, rows, valueDim, <i32>(valueBytes >> 2), valueScale, gradientRows);
  memory.fill(dQueryRows, 0, <usize>((rows + 5) / 6 * 6) * keyBytes);
  for (let r = 0; r < rows; r++) {
    const index = <usize>(firstHead + r / group * heads + r % group);
    const at = index * rowBytes;
    let dots = f64x2.splat(0);
    let i: usize = 0;
    for (; i + 16 <= rowBytes; i += 16) {
      dots = addProducts64(dots, v128.load(dOut + at + i), v128.load(out + at + i));
    }
    let dot = sumLanes64(dots);
    for (; i < rowBytes; i += 4) {
      dot += <f64>load<f32>(dOut + at + i) * <f64>load<f32>(out + at + i);
    }
    const to = sums + ((<usize>r) << 3);
    store<f32>(to, load<f32>(logSumExp + (index << 2)));
    store<f32>(to, <f32>dot, 4);
  }
}

function addSinkGradient(sinks: usize, sinkPartial: usize): void {
  for (let r = 0; r < rows; r++) {
    const head = <usize>(r % group);
    const from = sums + ((<usize>r) << 3);
    const sink = <f64>load<f32>(sinks + (head << 2));
    const change = exp64(sink - <f64>load<f32>(from)) * <f64>load<f32>(from, 4);
    const to = sinkPartial + (head << 3);
    store<f64>(to, load<f64>(to) - change);
  }
}

/** Probabilities and score gradients of all rows for a block of keys, and from them that of queries. */
function backThroughRows(from: i32, count: i32): void {
  for (let r = 0; r < rows; r += 6) {
    const last = min(r + 5, rows - 1);
    const firstToken = r / group;
    let position = firstPosition + firstToken;
    let head = r - firstToken * group;
    // Keys that any of the six rows sees, as columns of the block.
    const first = max(position - window + 1 - from, 0);
    const end = min(firstPosition + last / group + 1 - from, count);
    if (first >= end) continue;
    const columns = (<usize>(first & ~7)) << 2;
    const columnsEnd = (<usize>((end + 7) & ~7)) << 2;
    const p = probabilities + <usize>r * keyBlockBytes;
    const d = dScores + <usize>r * keyBlockBytes;
    const queries = queryTiles + (<usize>(r * keyDim) << 2);
    const gradients = gradientTiles + (<usize>(r * valueDim) << 2);
    for (let c = columns; c < columnsEnd; c += 32) {
      scoreTile(queries, keyColumns + c, p + c, keyDim);
      scoreTile(gradients, valueColumns + c, d + c, valueDim);
    }
    for (let row = r; row <= last; row++) {
      const seen = <usize>min(max(position - window + 1 - from, 0), keyBlock) << 2;
      const seenEnd = <usize>max(min(position + 1 - from, count), 0) << 2;
      const offset = <usize>(row - r) * keyBlockBytes;
      backThroughSoftmax(row, p + offset, d + offset, columns, columnsEnd);
      clearOutside(p + offset, columns, columnsEnd, seen, seenEnd);
      clearOutside(d + offset, columns, columnsEnd, seen, seenEnd);
      if (++head == group) {
        head = 0;
        position++;
      }
    }
    const weights = d + ((<usize>first) << 2);
    const keys = keyRows + <usize>first * keyBytes;
    const tileGradient = dQueryRows + <usize>r * keyBytes;
    for (let c: usize = 0; c < keyBytes; c += 32) {
      weightTile(weights, keys + c, keyBytes, tileGradient + c, keyBytes, end - first);
    }
  }
}

/** Scores become probabilities and their gradients those of scores. */
function backThroughSoftmax(row: i32, p: usize, d: usize, from: usize, to: usize): void {
  const at = sums + ((<usize>row) << 3);
  const total = v128.load32_splat(at);
  const mean = v128.load32_splat(at, 4);
  for (let c = from; c < to; c += 32) {
    exponentiate8(p + c, total);
    const first = f32x4.sub(v128.load(d + c), mean);
    const second = f32x4.sub(v128.load(d + c, 16), mean);
    v128.store(d + c, f32x4.mul(v128.load(p + c), first));
    v128.store(d + c, f32x4.mul(v128.load(p + c, 16), second), 16);
  }
}

/** Zeros in a row of the block but for the columns that were computed and are seen. */
function clearOutside(row: usize, from: usize, to: usize, seen: usize, seenEnd: usize): void {
  memory.fill(row, 0, from);
  memory.fill(row + to, 0, keyBlockBytes - to);
  for (let c = from; c < min(seen, to); c += 4) store<f32>(row + c, 0);
  for (let c = max(seenEnd, from); c < to; c += 4) store<f32>(row + c, 0);
}

/** Adds to the gradients of a block of keys and their values, six keys at a time. */
function backToKeys(from: i32, count: i32, dKeys: usize, dValues: usize): void {
  for (let j = 0; j < count; j += 6) {
    // Rows that see any of the six keys.
    const first = max(from + j - firstPosition, 0) * group;
    const last = min(from + min(j + 5, count - 1) + window - firstPosition, rows / group) * group;
    if (first >= last) continue;
    const column = (<usize>j) << 2;
    const start = <usize>first * keyBlockBytes + column;
    const values = gradientRows + <usize>first * valueBytes;
    const toValues = dValues + <usize>j * valueBytes;
    for (let c: usize = 0; c < valueBytes; c += 32) {
      transposedTile(
        probabilities + start, values + c, valueBytes, toValues + c, valueBytes, last - first,
      );
    }
    const queries = queryRows + <usize>first * keyBytes;
    const toKeys = dKeys + <usize>j * keyBytes;
    for (let c: usize = 0; c < keyBytes; c += 32) {
      transposedTile(dScores + start, queries + c, keyBytes, toKeys + c, keyBytes, last - first);
    }
  }
}

function writeQueryGradient(dQuery: usize, firstHead: i32, heads: i32, scale: f32): void {
  const rowBytes = (<usize>keyDim) << 2;
  const scales = f32x4.splat(scale);
  for (let r = 0; r < rows; r++) {
    const from = dQueryRows + <usize>r * keyBytes;
    const to = dQuery + <usize>(firstHead + r / group * heads + r % group) * rowBytes;
    let i: usize = 0;
    for (; i + 16 <= rowBytes; i += 16) {
      v128.store(to + i, f32x4.mul(v128.load(from + i), scales));
    }
    for (; i < rowBytes; i += 4) store<f32>(to + i, load<f32>(from + i) * scale);
  }
}
