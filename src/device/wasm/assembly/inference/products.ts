// The products of inference. Rows of activations come from `prepareActivations` for quantised weights and
// are plain f32 for others. Which rows meet which matrix is a list of entries, three i32 each: an index
// among matrices that lie one after another (an expert), and the begin and end of its part of `list`,
// which numbers rows of the output; the row of activations is that divided by `divisor`. `list` 0 counts
// from the entry's begin.
import { sigmoid4 } from '../math';
import { madd } from '../simd';
import {
  areApart, firstRowOf, matrixBytes, multiplyUnit, resultBytes, rowBytes, unitBytes, unitCount,
} from './units';

const entryBytes: usize = 12;

/** Items are units of entries. out [·,rows] = activations · matrixᵀ, or is added to. */
export function multiplyMatrix(
  entries: usize, list: usize, divisor: i32, a: usize, matrix: usize, format: i32,
  rows: i32, depth: i32, out: usize, accumulate: i32, scratch: usize, scratchBytes: usize,
  begin: i32, end: i32, thread: i32,
): void {
  const units = unitCount(rows);
  const results = scratch + <usize>thread * scratchBytes;
  for (let item = begin; item < end; item++) {
    const entry = entries + <usize>(item / units) * entryBytes;
    const unit = item % units;
    const first = load<i32>(entry, 4);
    const count = load<i32>(entry, 8) - first;
    const widened = results + resultBytes(count);
    const apart = areApart(format, count);
    multiplyUnit(
      format, rowsAt(list, divisor, a, first, format, depth), listAt(list, first), divisor, count,
      matrix + <usize>load<i32>(entry) * matrixBytes(format, rows, depth), rows, depth, unit,
      apart, widened, results,
    );
    storeUnit(results, list, first, count, rows, unit, apart, out, accumulate);
  }
}

/** The same with two matrices: out = silu(activations · gateᵀ)·(activations · upᵀ). */
export function multiplyGated(
  entries: usize, list: usize, divisor: i32, a: usize, gate: usize, up: usize, format: i32,
  rows: i32, depth: i32, out: usize, scratch: usize, scratchBytes: usize,
  begin: i32, end: i32, thread: i32,
): void {
  const units = unitCount(rows);
  const gated = scratch + <usize>thread * scratchBytes;
  for (let item = begin; item < end; item++) {
    const entry = entries + <usize>(item / units) * entryBytes;
    const unit = item % units;
    const first = load<i32>(entry, 4);
    const count = load<i32>(entry, 8) - first;
    const other = gated + <usize>count * unitBytes;
    const widened = other + resultBytes(count);
    const apart = areApart(format, count);
    const from = rowsAt(list, divisor, a, first, format, depth);
    const offset = <usize>load<i32>(entry) * matrixBytes(format, rows, depth);
    const own = listAt(list, first);
    multiplyUnit(
      format, from, own, divisor, count, gate + offset, rows, depth, unit, apart, widened, gated,
    );
    multiplyUnit(
      format, from, own, divisor, count, up + offset, rows, depth, unit, apart, widened, other,
    );
    for (let i: usize = 0; i < <usize>count * unitBytes; i += 16) {
      const x = v128.load(gated + i);
      v128.store(gated + i, f32x4.mul(f32x4.mul(x, sigmoid4(x)), v128.load(other + i)));
    }
    storeUnit(gated, list, first, count, rows, unit, apart, out, 0);
  }
}

/**
 * Items are units. out [T,rows] += Σ_j weights[t,j]·(row t·perToken + j of the activations · the matrix of
 * its entry), in the order of j. `slots` = T·perToken, all of which are in `list`.
 */
export function addExperts(
  entries: usize, entryCount: i32, list: usize, a: usize, matrix: usize, format: i32, weights: usize,
  perToken: i32, slots: i32, rows: i32, depth: i32, out: usize, scratch: usize, scratchBytes: usize,
  begin: i32, end: i32, thread: i32,
): void {
  const results = scratch + <usize>thread * scratchBytes;
  const ordered = results + resultBytes(slots);
  const widened = ordered + <usize>slots * unitBytes;
  const apart = areApart(format, slots);
  const last = entries + <usize>entryCount * entryBytes;
  for (let unit = begin; unit < end; unit++) {
    for (let entry = entries; entry < last; entry += entryBytes) {
      const first = load<i32>(entry, 4);
      const count = load<i32>(entry, 8) - first;
      const own = listAt(list, first);
      multiplyUnit(
        format, a, own, 1, count,
        matrix + <usize>load<i32>(entry) * matrixBytes(format, rows, depth), rows, depth, unit,
        apart, widened, results,
      );
      for (let i: usize = 0; i < <usize>count; i++) {
        const to = ordered + <usize>load<i32>(own + (i << 2)) * unitBytes;
        memory.copy(to, results + i * unitBytes, unitBytes);
      }
    }
    let slot = ordered;
    let weight = weights;
    for (let t = 0; t * perToken < slots; t++) {
      let s0 = f32x4.splat(0), s1 = s0, s2 = s0, s3 = s0;
      for (let j = 0; j < perToken; j++) {
        const w = v128.load32_splat(weight);
        s0 = madd(w, v128.load(slot), s0);
        s1 = madd(w, v128.load(slot, 16), s1);
        s2 = madd(w, v128.load(slot, 32), s2);
        s3 = madd(w, v128.load(slot, 48), s3);
        slot += unitBytes;
        weight += 4;
      }
      v128.store(results, s0);
      v128.store(results, s1, 16);
      v128.store(results, s2, 32);
      v128.store(results, s3, 48);
      storeUnit(results, 0, t, 1, rows, unit, apart, out, 1);
    }
  }
}

// @ts-ignore: decorator
@inline
function rowsAt(
  list: usize, divisor: i32, a: usize, first: i32, format: i32, depth: i32,
): usize {
  return list ? a : a + <usize>first * rowBytes(format, depth);
}

// @ts-ignore: decorator
@inline
function listAt(list: usize, first: i32): usize {
  return list ? list + (<usize>first << 2) : 0;
}

/** Results [count,16] of a unit to their places in out [·,rows]. */
function storeUnit(
  results: usize, list: usize, first: i32, count: i32, rows: i32, unit: i32, apart: i32,
  out: usize, accumulate: i32,
): void {
  const units = unitCount(rows);
  const stride = (<usize>rows) << 2;
  for (let i = 0; i < count; i++) {
    const row = list ? load<i32>(list + (<usize>(first + i) << 2)) : first + i;
    const to = out + <usize>row * stride;
    for (let block = 0; block < 4; block++) {
      const column = firstRowOf(apart, unit, block, units);
      const place = to + (<usize>column << 2);
      const value = results + (<usize>block << 4);
      if (column + 4 <= rows) {
        const v = v128.load(value);
        v128.store(place, accumulate ? f32x4.add(v128.load(place), v) : v);
        continue;
      }
      for (let j: usize = 0; <i32>j + column < rows; j++) {
        const v = load<f32>(value + (j << 2));
        const single = place + (j << 2);
        store<f32>(single, accumulate ? load<f32>(single) + v : v);
      }
    }
    results += unitBytes;
  }
}
