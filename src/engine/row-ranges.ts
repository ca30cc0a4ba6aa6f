/**
 * Where the rows of a call lie: which position of which sequence each row is, and in which rows of the
 * caches it belongs. All of it is computed on the host; see `CachedRows` and `PastKeys`.
 */
import { type HeldPages, pageSize } from './key-value-pool.ts';

/** Successive positions of a sequence: so many rows of a call. */
export interface RowRange<Sequence extends HeldPages = HeldPages> {
  sequence: Sequence;
  begin: number;
  /** Exclusive. */
  end: number;
}

/** A copy of a sequence's ring as it is when so many positions have passed the trunk. */
export interface Snapshot {
  position: number;
  ring: number;
}

/** Rows of all ranges. */
export function countRows(ranges: readonly RowRange[]): number {
  let rows = 0;
  for (const { begin, end } of ranges) rows += end - begin;
  return rows;
}

/** A number for each item. What steps make often is made in plain loops: `Int32Array.from` is many times slower. */
export function numbersOf<Item>(
  items: readonly Item[],
  value: (item: Item, index: number) => number,
): Int32Array {
  const numbers = new Int32Array(items.length);
  for (let i = 0; i < items.length; i++) numbers[i] = value(items[i]!, i);
  return numbers;
}

/** A number for each row. `index`: of the row's range. */
function eachRow<Sequence extends HeldPages>(
  ranges: readonly RowRange<Sequence>[],
  value: (position: number, range: RowRange<Sequence>, index: number) => number,
): Int32Array {
  const rows = new Int32Array(countRows(ranges));
  let row = 0;
  ranges.forEach((range, index) => {
    for (let position = range.begin; position < range.end; position++) {
      rows[row++] = value(position, range, index);
    }
  });
  return rows;
}

/** A number for each range, given to all its rows. `index`: of the range. */
export function ofEachRange<Sequence extends HeldPages>(
  ranges: readonly RowRange<Sequence>[],
  value: (range: RowRange<Sequence>, index: number) => number,
): Int32Array {
  const rows = new Int32Array(countRows(ranges));
  let row = 0;
  ranges.forEach((range, index) => {
    const next = row + range.end - range.begin;
    rows.fill(value(range, index), row, next);
    row = next;
  });
  return rows;
}

/** The position of each row. Prompts have many rows, so this calls nothing for each, nor do others below. */
export function positionsOf(ranges: readonly RowRange[]): Int32Array {
  const rows = new Int32Array(countRows(ranges));
  let row = 0;
  for (const { begin, end } of ranges) {
    for (let position = begin; position < end; position++) rows[row++] = position;
  }
  return rows;
}

/** The token that comes `ahead` positions after each row's; 0 where there is none yet. */
export function tokensOf(
  ranges: readonly RowRange<HeldPages & { readonly tokens: readonly number[] }>[],
  ahead: number,
): Int32Array {
  const rows = new Int32Array(countRows(ranges));
  let row = 0;
  for (const { sequence, begin, end } of ranges) {
    const { tokens } = sequence;
    for (let at = begin + ahead; at < end + ahead; at++) rows[row++] = tokens[at] ?? 0;
  }
  return rows;
}

/** The first row of each range. */
export function firstRows(ranges: readonly RowRange[]): number[] {
  let row = 0;
  return ranges.map(({ begin, end }) => {
    const first = row;
    row += end - begin;
    return first;
  });
}

/** Width of the page table of the ranges' sequences. */
export function tableWidth(ranges: readonly RowRange[]): number {
  let width = 1;
  for (const { sequence } of ranges) width = Math.max(width, sequence.pages.length);
  return width;
}

/**
 * A width with room for more pages. What a device has made for one width can be used again as long as it
 * stays, and a sequence has another page every few tokens.
 */
export function roomyTableWidth(ranges: readonly RowRange[]): number {
  return 2 ** Math.ceil(Math.log2(Math.max(4, tableWidth(ranges))));
}

/** i32 [ranges, width]; what a sequence has no pages for is 0. */
export function pageTable(ranges: readonly RowRange[], width = tableWidth(ranges)): Int32Array {
  const table = new Int32Array(ranges.length * width);
  ranges.forEach(({ sequence }, index) => {
    table.set(sequence.pages, index * width);
  });
  return table;
}

/** i32 [ranges, 1] */
export function ringTable(ranges: readonly RowRange[]): Int32Array {
  return numbersOf(ranges, ({ sequence }) => sequence.ring);
}

/** The layout that `CachedRows` describes, over a table of the ranges' sequences. */
export function layoutOf(ranges: readonly RowRange[], table: Int32Array): Int32Array {
  const count = countRows(ranges);
  const layout = new Int32Array(2 * count + table.length);
  let row = 0;
  for (let index = 0; index < ranges.length; index++) {
    const { begin, end } = ranges[index]!;
    for (let position = begin; position < end; position++, row++) {
      layout[row] = position;
      layout[count + row] = index;
    }
  }
  layout.set(table, 2 * count);
  return layout;
}

/** Cache row of each row in the global layers. */
export function globalRows(ranges: readonly RowRange[]): Int32Array {
  const rows = new Int32Array(countRows(ranges));
  let row = 0;
  for (const { sequence, begin, end } of ranges) {
    const { pages } = sequence;
    for (let position = begin; position < end; position++) {
      const at = position % pageSize;
      rows[row++] = pages[(position - at) / pageSize]! * pageSize + at;
    }
  }
  return rows;
}

/**
 * Cache row of each row in the rings. Rows that later ones of the same call push out of a ring get −1:
 * they are not written at all.
 */
export function ringRows(ranges: readonly RowRange[], ringSize: number): Int32Array {
  const rows = new Int32Array(countRows(ranges));
  let row = 0;
  for (const { sequence, begin, end } of ranges) {
    const kept = Math.max(begin, end - ringSize);
    for (let position = begin; position < kept; position++) rows[row++] = -1;
    const first = sequence.ring * ringSize;
    for (let position = kept; position < end; position++) {
      rows[row++] = first + (position % ringSize);
    }
  }
  return rows;
}

/** Cache row of each row in the ring of a snapshot, where a range has one; else −1. */
export function snapshotRows(
  ranges: readonly RowRange[],
  snapshots: readonly (Snapshot | undefined)[],
  ringSize: number,
): Int32Array {
  return eachRow(ranges, (position, _range, index) => {
    const snapshot = snapshots[index];
    if (!snapshot || position >= snapshot.position) return -1;
    if (position < snapshot.position - ringSize) return -1;
    return snapshot.ring * ringSize + (position % ringSize);
  });
}
