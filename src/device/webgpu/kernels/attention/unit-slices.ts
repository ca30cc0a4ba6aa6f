/**
 * Loading of rows for attention on matrix units, rounded to f16, into the slices of `unit-block.ts`.
 */
import { unroll } from '../../program.ts';
import { blockRows, quadsOf, sliceStride, type UnitHeads, unitThreads } from './unit-block.ts';

/** Where rows come from: `source` gives the row, in rows of one head, that becomes row `row`. */
export interface RowSource {
  /** The quad at a place. */
  element: (place: string) => string;
  source: (row: string) => string;
  /** WGSL after each element, such as a scale. */
  factor?: string;
}

/** Fills both slices. */
export function loadSlices(options: UnitHeads, first: RowSource, second: RowSource): string {
  return /* wgsl */ `
  ${loadRows(options, 'firstSlice', { ...first, size: options.keyDim })}
  ${loadRows(options, 'secondSlice', { ...second, size: options.valueDim })}`;
}

/** Fills the first slice with queries. */
export function loadFirst(options: UnitHeads, first: RowSource): string {
  return loadRows(options, 'firstSlice', { ...first, size: options.keyDim });
}

/** Query rows of an array; beyond the last it is repeated, and nothing comes of it. */
export const queryRowsOf = (array: string, factor?: string): RowSource => ({
  element: (place) => `${array}[${place}]`,
  source: (row) => `queryHead(${row})`,
  ...(factor !== undefined && { factor }),
});

/** This call's rows of keys or values, in the same way. */
export const keyRowsOf = (array: string): RowSource => ({
  element: (place) => `${array}[${place}]`,
  source: (row) => `min(keyBegin + ${row}, p.tokens - 1u) * keyValueHeads + keyHead`,
});

/** Threads that load one row of a slice together: neighbours read 64 bytes. */
const loadersPerRow = 4;

/**
 * Statements that fill a slice with rows of `size` elements. A thread has all its quads on their way before it keeps the first: waiting
 * for each in turn took most of the time of these kernels.
 */
function loadRows(
  options: UnitHeads,
  slice: 'firstSlice' | 'secondSlice',
  { element, size, source, factor = '' }: RowSource & { size: number },
): string {
  const rowsAtOnce = unitThreads(options) / loadersPerRow;
  const quads = quadsOf(size) / loadersPerRow;
  const row = (i: number) => `(thread / ${loadersPerRow}u + ${i * rowsAtOnce}u)`;
  const lane = `thread % ${loadersPerRow}u`;
  const each = (piece: (i: number, q: number) => string) =>
    unroll((blockRows / rowsAtOnce) * quads, (n) => piece(Math.floor(n / quads), n % quads));
  return /* wgsl */ `{
    ${unroll(blockRows / rowsAtOnce, (i) => `let from${i} = (${source(row(i))}) * ${quadsOf(size)}u + ${lane};`)}
    ${each((i, q) => `let quad${i}_${q} = ${element(`from${i} + ${q * loadersPerRow}u`)};`)}
    ${each((i, q) => `${slice}[${row(i)} * ${sliceStride(size)}u + ${lane} + ${q * loadersPerRow}u] = vec4<f16>(quad${i}_${q}${factor});`)}
  }`;
}
