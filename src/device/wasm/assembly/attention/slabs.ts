// The end of attention's backward pass: sums of what each chunk of rows contributed, in a fixed order.

/**
 * Items are rows: dKey and dValue are the sums over the slabs that hold them. `owner` i32 [T] is the chunk
 * of each row; further chunks of the same sequence follow it in `chunks` (see `attentionBackward`).
 */
export function sumSlabs(
  chunks: usize, owner: usize, slabs: usize, dKey: usize, dValue: usize,
  chunkCount: i32, keyValueHeads: i32, keyDim: i32, valueDim: i32,
  begin: i32, end: i32, _thread: i32,
): void {
  const keyBytes = ((<usize>keyDim + 7) & ~7) << 2;
  const valueBytes = ((<usize>valueDim + 7) & ~7) << 2;
  for (let row = begin; row < end; row++) {
    const first = load<i32>(owner + ((<usize>row) << 2));
    const own = chunks + ((<usize>first) << 5);
    const sequenceRow = load<i32>(own) - load<i32>(own, 8);
    const position = row - sequenceRow;
    for (let head = 0; head < keyValueHeads; head++) {
      const index = <usize>(row * keyValueHeads + head);
      const toKey = dKey + ((index * <usize>keyDim) << 2);
      const toValue = dValue + ((index * <usize>valueDim) << 2);
      for (let chunk = first; chunk < chunkCount; chunk++) {
        const entry = chunks + ((<usize>chunk) << 5);
        const keyBegin = load<i32>(entry, 12);
        if (load<i32>(entry) - load<i32>(entry, 8) != sequenceRow || position < keyBegin) break;
        const keyCount = load<i32>(entry, 8) + load<i32>(entry, 4) - keyBegin + 6;
        const slab = slabs
          + <usize>(load<i32>(entry, 16) * keyValueHeads + head * keyCount) * (keyBytes + valueBytes);
        const at = <usize>(position - keyBegin);
        addRow(slab + at * keyBytes, toKey, keyDim, chunk > first);
        addRow(slab + <usize>keyCount * keyBytes + at * valueBytes, toValue, valueDim, chunk > first);
      }
    }
  }
}

// @ts-ignore: decorator
@inline
function addRow(from: usize, to: usize, columns: i32, accumulate: bool): void {
  const rowBytes = (<usize>columns) << 2;
  let i: usize = 0;
  for (; i + 16 <= rowBytes; i += 16) {
    const v = v128.load(from + i);
    v128.store(to + i, accumulate ? f32x4.add(v128.load(to + i), v) : v);
  }
  for (; i < rowBytes; i += 4) {
    const v = load<f32>(from + i);
    store<f32>(to + i, accumulate ? load<f32>(to + i) + v : v);
  }
}

/** Items are heads: dSinks += the sum of f64 `partials` [chunkCount, heads]. */
export function sumSinkPartials(
  partials: usize, dSinks: usize, chunkCount: i32, heads: i32,
  begin: i32, end: i32, _thread: i32,
): void {
  for (let head = begin; head < end; head++) {
    let sum: f64 = 0;
    for (let chunk = 0; chunk < chunkCount; chunk++) {
      sum += load<f64>(partials + ((<usize>(chunk * heads + head)) << 3));
    }
    const to = dSinks + ((<usize>head) << 2);
    store<f32>(to, <f32>(<f64>load<f32>(to) + sum));
  }
}
