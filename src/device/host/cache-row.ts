import type { CachedRows } from '../../tensor/inference-kernels.ts';

/** The row of `keys` and `values` that holds a position of a sequence; `layout` of a call of `rows`. */
export function cacheRow(
  { pageSize, width }: CachedRows,
  rows: number,
  layout: Int32Array,
  sequence: number,
  position: number,
): number {
  const page = Math.floor(position / pageSize) % width;
  return layout[2 * rows + sequence * width + page]! * pageSize + (position % pageSize);
}
