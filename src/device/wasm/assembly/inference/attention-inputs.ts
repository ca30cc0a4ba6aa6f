// Queries, keys and values of a layer, rotated. Items are heads: those of the queries, of the keys and of
// the values, in the order in which their rows lie in the matrix.
import {
  areApart, firstRowOf, matrixBytes, multiplyUnit, resultBytes, unitBytes, unitCount,
} from './units';

/**
 * query [T, heads·headDim], keys [T, keyValueHeads·headDim] and values [T, keyValueHeads·valueDim] from
 * rows of activations; cos and sin [T, rotaryDim/2].
 */
export function attentionInputs(
  a: usize, matrix: usize, format: i32, count: i32, depth: i32,
  heads: i32, keyValueHeads: i32, headDim: i32, valueDim: i32, rotaryDim: i32, cos: usize, sin: usize,
  query: usize, keys: usize, values: usize, scratch: usize, scratchBytes: usize,
  begin: i32, end: i32, thread: i32,
): void {
  const results = scratch + <usize>thread * scratchBytes;
  const widened = results + resultBytes(count);
  const apart = areApart(format, count);
  for (let item = begin; item < end; item++) {
    const isValue = item >= heads + keyValueHeads;
    const isKey = !isValue && item >= heads;
    const rows = isValue ? valueDim : headDim;
    const valueHead = item - heads - keyValueHeads;
    const firstRow = isValue
      ? (heads + keyValueHeads) * headDim + valueHead * valueDim
      : item * headDim;
    const columns = isValue ? keyValueHeads * valueDim : (isKey ? keyValueHeads : heads) * headDim;
    const column = isValue ? valueHead * valueDim : (isKey ? item - heads : item) * headDim;
    const out = (isValue ? values : isKey ? keys : query) + (<usize>column << 2);
    const stride = (<usize>columns) << 2;

    const own = matrix + matrixBytes(format, firstRow, depth);
    const units = unitCount(rows);
    for (let unit = 0; unit < units; unit++) {
      multiplyUnit(format, a, 0, 1, count, own, rows, depth, unit, apart, widened, results);
      for (let i: usize = 0; i < <usize>count; i++) {
        for (let block = 0; block < 4; block++) {
          const first = firstRowOf(apart, unit, block, units);
          const from = results + i * unitBytes + (<usize>block << 4);
          const to = out + i * stride + (<usize>first << 2);
          for (let j: usize = 0; j < 4 && first + <i32>j < rows; j++) {
            store<f32>(to + (j << 2), load<f32>(from + (j << 2)));
          }
        }
      }
    }
    if (isValue) continue;
    const half = (<usize>rotaryDim) << 1;
    for (let i: usize = 0; i < <usize>count; i++) {
      rotate(out + i * stride, cos + i * half, sin + i * half, half);
    }
  }
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
