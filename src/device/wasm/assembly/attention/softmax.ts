// The running softmax of attention's rows: Σ p·v [rows, paddedValueDim], Σ p (f64) and the largest score
// so far, relative to which the p are. Partial results over parts of the keys can be merged.
import { exp4, exp64, log64 } from '../math';

/** Below every score, yet far enough from −∞ that differences are numbers. */
const lowest: f32 = -1e30;

/** `sinks`: the logits of the group's sinks, or 0. The sums of rows up to a multiple of six are 0. */
export function startRows(
  sums: usize, totals: usize, largest: usize, rows: i32, group: i32, paddedValueDim: i32,
  sinks: usize,
): void {
  memory.fill(sums, 0, <usize>((rows + 5) / 6 * 6 * paddedValueDim) << 2);
  for (let r: usize = 0; r < <usize>rows; r++) {
    let sink: f32 = -Infinity;
    if (sinks) sink = load<f32>(sinks + ((r % <usize>group) << 2));
    const start = max(sink, lowest);
    store<f32>(largest + (r << 2), start);
    store<f64>(totals + (r << 3), sinks ? exp64(<f64>sink - <f64>start) : 0);
  }
}

/** Divides by the totals and writes rows r = token·group + head to where they belong. */
export function finishRows(
  sums: usize, totals: usize, largest: usize, rows: i32, group: i32, valueDim: i32,
  valueScale: f32, out: usize, logSumExp: usize, firstHead: i32, heads: i32,
): void {
  const rowBytes = (<usize>valueDim) << 2;
  const paddedBytes = (rowBytes + 31) & ~31;
  for (let r = 0; r < rows; r++) {
    const total = load<f64>(totals + ((<usize>r) << 3));
    const factor = <f32>(<f64>valueScale / total);
    const factors = f32x4.splat(factor);
    const index = <usize>(firstHead + r / group * heads + r % group);
    const from = sums + <usize>r * paddedBytes;
    const to = out + index * rowBytes;
    let i: usize = 0;
    for (; i + 16 <= rowBytes; i += 16) {
      v128.store(to + i, f32x4.mul(v128.load(from + i), factors));
    }
    for (; i < rowBytes; i += 4) store<f32>(to + i, load<f32>(from + i) * factor);
    const sum = <f64>load<f32>(largest + ((<usize>r) << 2)) + log64(total);
    store<f32>(logSumExp + (index << 2), <f32>sum);
  }
}

/**
 * Items are (merge, key/value head); `merges` i32 [n, 4]: first row, rows, first partial result and their
 * number. Each of `partialBytes`: sums, totals and largest of `maximumRows` rows up to a multiple of
 * six. `scratchBytes` a thread, as many.
 */
export function attentionMerge(
  partials: usize, merges: usize, sinks: usize, out: usize, logSumExp: usize, scratch: usize,
  heads: i32, keyValueHeads: i32, valueDim: i32, valueScale: f32, partialBytes: i32,
  maximumRows: i32, begin: i32, end: i32, thread: i32,
): void {
  const group = heads / keyValueHeads;
  const paddedValueDim = (valueDim + 7) & ~7;
  const paddedBytes = (<usize>paddedValueDim) << 2;
  const rowsOfTiles = <usize>((maximumRows + 5) / 6 * 6);
  const totalsOffset = rowsOfTiles * paddedBytes;
  const largestOffset = totalsOffset + (rowsOfTiles << 3);
  const sums = scratch + <usize>thread * <usize>partialBytes;
  const totals = sums + totalsOffset;
  const largest = sums + largestOffset;
  for (let item = begin; item < end; item++) {
    const merge = merges + ((<usize>(item / keyValueHeads)) << 4);
    const keyHead = item % keyValueHeads;
    const firstRow = load<i32>(merge);
    const rows = load<i32>(merge, 4) * group;
    const first = load<i32>(merge, 8);
    const count = load<i32>(merge, 12);
    startRows(
      sums, totals, largest, rows, group, paddedValueDim,
      sinks ? sinks + ((<usize>(keyHead * group)) << 2) : 0,
    );
    for (let n = first; n < first + count; n++) {
      const partial = partials + <usize>(n * keyValueHeads + keyHead) * <usize>partialBytes;
      for (let r: usize = 0; r < <usize>rows; r++) {
        const before = load<f32>(largest + (r << 2));
        const other = load<f32>(partial + largestOffset + (r << 2));
        const now = max(before, other);
        const shrink = exp4(f32x4.splat(before - now));
        const otherShrink = exp4(f32x4.splat(other - now));
        store<f32>(largest + (r << 2), now);
        const total = load<f64>(totals + (r << 3)) * <f64>f32x4.extract_lane(shrink, 0);
        const more = load<f64>(partial + totalsOffset + (r << 3));
        store<f64>(totals + (r << 3), total + more * <f64>f32x4.extract_lane(otherShrink, 0));
        const to = sums + r * paddedBytes;
        const from = partial + r * paddedBytes;
        for (let i: usize = 0; i < paddedBytes; i += 16) {
          const scaled = f32x4.mul(v128.load(from + i), otherShrink);
          v128.store(to + i, f32x4.add(f32x4.mul(v128.load(to + i), shrink), scaled));
        }
      }
    }
    finishRows(
      sums, totals, largest, rows, group, valueDim, valueScale, out, logSumExp,
      firstRow * heads + keyHead * group, heads,
    );
  }
}
