// Products of rows with a unit of a matrix: 16 of its rows, in any of the three formats. Everything that
// multiplies weights in inference is made of these; what differs is what becomes of the results.
import { multiplyFewRows } from '../dots';
import {
  activationBytes, Bytes, columnsPerTile, Nibbles, tile1x16, tile2x8, tile4x8, tileBytes, widenBlock,
} from './tile';

/** Formats of a matrix, by the bits of its numbers: 32 is plain f32, row by row. */
export const floats: i32 = 32;
const nibbles: i32 = 4;

/** Rows of a matrix in a unit, and results of a unit for each row of activations. */
export const unitRows: i32 = 16;
/** Bytes of these results. */
export const unitBytes: usize = 64;

/** Room for the results of `count` rows, and of one more, since three rows are multiplied as four. */
// @ts-ignore: decorator
@inline
export function resultBytes(count: i32): usize {
  return <usize>(count + 1) * unitBytes;
}

/** From this many rows of activations on, multiplying takes longer than reading the matrix. */
const manyRows: i32 = 16;

/** Bytes of `rows` rows of a matrix. */
export function matrixBytes(format: i32, rows: i32, depth: i32): usize {
  if (format == floats) return (<usize>rows * <usize>depth) << 2;
  const tiles = <usize>(rows >> 2) * (<usize>depth / columnsPerTile);
  return tiles * (format == nibbles ? tileBytes<Nibbles>() : tileBytes<Bytes>());
}

/** Units that a matrix of `rows` rows consists of; the last may not be full. */
// @ts-ignore: decorator
@inline
export function unitCount(rows: i32): i32 {
  return (rows + unitRows - 1) / unitRows;
}

/**
 * The row of the matrix whose result is column 4·block of a unit's. For few rows of activations the four
 * blocks of a quantised unit are far apart (see tile.ts), for many neighbours, so that results are written
 * by the line. A block that begins at or after the matrix's rows is none.
 */
// @ts-ignore: decorator
@inline
export function firstRowOf(apart: i32, unit: i32, block: i32, units: i32): i32 {
  return 4 * (apart ? unit + block * units : 4 * unit + block);
}

/** Whether the blocks of units are far apart in products with `count` rows. */
// @ts-ignore: decorator
@inline
export function areApart(format: i32, count: i32): i32 {
  return i32(format != floats && count < manyRows);
}

/** Bytes of activations a row. */
// @ts-ignore: decorator
@inline
export function rowBytes(format: i32, depth: i32): usize {
  return format == floats ? (<usize>depth) << 2 : activationBytes(<usize>depth);
}

/**
 * out [count,16] = rows of `a` times unit `unit` of `matrix` [rows,depth]. Row i is row list[i] / divisor
 * of `a`, or row i if `list` is 0. `out` has the room of `resultBytes`, `widened` that of four blocks in bytes; `apart` as by
 * `areApart`.
 */
export function multiplyUnit(
  format: i32, a: usize, list: usize, divisor: i32, count: i32, matrix: usize, rows: i32,
  depth: i32, unit: i32, apart: i32, widened: usize, out: usize,
): void {
  if (format == floats) {
    multiplyFloats(a, list, divisor, count, matrix, rows, depth, unit, out);
    return;
  }
  const units = unitCount(rows);
  const blockBytes = matrixBytes(format, 4, depth);
  let p = blockAt(matrix, rows, firstRowOf(apart, unit, 0, units), blockBytes);
  let q = blockAt(matrix, rows, firstRowOf(apart, unit, 1, units), blockBytes);
  let r = blockAt(matrix, rows, firstRowOf(apart, unit, 2, units), blockBytes);
  let s = blockAt(matrix, rows, firstRowOf(apart, unit, 3, units), blockBytes);
  if (format == nibbles && count < manyRows) {
    multiplyBlocks4<Nibbles>(a, list, divisor, count, p, q, r, s, <usize>depth, apart, out);
    return;
  }
  if (format == nibbles) {
    const tiles = <usize>depth / columnsPerTile;
    const wide = tiles * tileBytes<Bytes>();
    widenBlock(p, tiles, widened);
    widenBlock(q, tiles, widened + wide);
    widenBlock(r, tiles, widened + 2 * wide);
    widenBlock(s, tiles, widened + 3 * wide);
    p = widened; q = p + wide; r = q + wide; s = r + wide;
  }
  multiplyBlocks4<Bytes>(a, list, divisor, count, p, q, r, s, <usize>depth, apart, out);
}

/** A block that does not exist is replaced by the first, and its results are not used. */
// @ts-ignore: decorator
@inline
function blockAt(matrix: usize, rows: i32, first: i32, blockBytes: usize): usize {
  return matrix + (first < rows ? <usize>(first >> 2) * blockBytes : 0);
}

// @ts-ignore: decorator
@inline
function rowOf(list: usize, divisor: i32, i: i32): usize {
  return list ? <usize>(load<i32>(list + (<usize>i << 2)) / divisor) : <usize>i;
}

function multiplyBlocks4<Format>(
  a: usize, list: usize, divisor: i32, count: i32, p: usize, q: usize, r: usize, s: usize,
  depth: usize, apart: i32, out: usize,
): void {
  const stride = activationBytes(depth);
  // Of bytes, three rows are multiplied as four.
  const least = idof<Format>() == idof<Nibbles>() ? 4 : 3;
  let i = 0;
  for (; i + least <= count; i += 4) {
    const row0 = a + rowOf(list, divisor, i) * stride;
    const row1 = a + rowOf(list, divisor, i + 1) * stride;
    const row2 = a + rowOf(list, divisor, i + 2) * stride;
    // The last of three rows is taken again.
    const row3 = a + rowOf(list, divisor, min(i + 3, count - 1)) * stride;
    multiplyFourRows<Format>(row0, row1, row2, row3, p, q, r, s, depth, apart, out);
    out += 4 * unitBytes;
  }
  if (idof<Format>() == idof<Nibbles>() && i + 2 <= count) {
    const row0 = a + rowOf(list, divisor, i) * stride;
    const row1 = a + rowOf(list, divisor, i + 1) * stride;
    tile2x8(row0, row1, p, q, depth, out);
    tile2x8(row0, row1, r, s, depth, out + 32);
    i += 2;
    out += 2 * unitBytes;
  }
  for (; i < count; i++) {
    tile1x16<Format>(a + rowOf(list, divisor, i) * stride, p, q, r, s, depth, out);
    out += unitBytes;
  }
}

/**
 * Blocks of bytes that are far apart take turns at every tile, so that all four are read at once; nibbles
 * take longer to compute with than to read.
 */
function multiplyFourRows<Format>(
  a: usize, b: usize, c: usize, d: usize, p: usize, q: usize, r: usize, s: usize, depth: usize,
  apart: i32, out: usize,
): void {
  memory.fill(out, 0, 4 * unitBytes);
  const toStart = depth >> 3;
  const tiles = depth / columnsPerTile;
  if (!apart || idof<Format>() == idof<Nibbles>()) {
    tile4x8<Format>(a, b, c, d, depth, toStart, p, q, tiles, out);
    tile4x8<Format>(a, b, c, d, depth, toStart, r, s, tiles, out + 32);
    return;
  }
  for (let column: usize = 0; column < depth; column += columnsPerTile) {
    const toScale = depth - column + (column >> 3);
    tile4x8<Format>(a, b, c, d, toScale, toStart, p, q, 1, out);
    tile4x8<Format>(a, b, c, d, toScale, toStart, r, s, 1, out + 32);
    a += columnsPerTile; b += columnsPerTile; c += columnsPerTile; d += columnsPerTile;
    p += tileBytes<Format>(); q += tileBytes<Format>();
    r += tileBytes<Format>(); s += tileBytes<Format>();
  }
}

function multiplyFloats(
  a: usize, list: usize, divisor: i32, count: i32, matrix: usize, rows: i32, depth: i32, unit: i32,
  out: usize,
): void {
  const stride = (<usize>depth) << 2;
  const first = unit * unitRows;
  const columns = min(unitRows, rows - first);
  const b = matrix + <usize>first * stride;
  if (!list) {
    multiplyFewRows(a, stride, b, stride, out, unitBytes, count, columns, depth, 0);
    return;
  }
  for (let i = 0; i < count; i++) {
    const row = a + rowOf(list, divisor, i) * stride;
    multiplyFewRows(row, stride, b, stride, out, unitBytes, 1, columns, depth, 0);
    out += unitBytes;
  }
}
