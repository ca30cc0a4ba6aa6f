/** Sizes of heads and of caches, and where the rows of a call lie in one. */
import { type CacheType, cachedHeadSize } from '../../src/tensor/cache-type.ts';
import type { Scope } from '../../src/tensor/scope.ts';
import { bytesPerElement, sizeOf, Tensor } from '../../src/tensor/tensor.ts';
import { type HostTensor, intTensor } from './case.ts';

export interface Heads {
  heads: number;
  keyValueHeads: number;
  keyDim: number;
  valueDim: number;
}

export interface CacheSizes {
  name: string;
  /** The positions of each sequence's rows in the call. */
  positions: number[][];
  pageSize: number;
  width: number;
  window: number | null;
}

/** So many sequences with four rows each, as they are with three drafts. */
export const withDrafts = (sequences: number, window: number | null): CacheSizes => ({
  name: `${sequences} sequences with drafts${window === null ? '' : ' in rings'}`,
  positions: Array.from({ length: sequences }, (_, s) => [0, 1, 2, 3].map((row) => (s % 9) + row)),
  ...{ pageSize: 8, width: 2, window },
});

/** The rows of `positions` one after another, then their sequences, then the table of all sequences. */
export function layoutOf(sizes: CacheSizes): HostTensor {
  const data = [...sizes.positions.flat(), ...sequencesOf(sizes), ...tableOf(sizes)];
  return intTensor([data.length], data);
}

export const rowsOf = ({ positions }: CacheSizes) => positions.flat().length;

/** Of each row. */
export const sequencesOf = ({ positions }: CacheSizes) =>
  positions.flatMap((own, s) => own.map(() => s));

/** [sequences, width]. */
export const tableOf = (sizes: CacheSizes) =>
  sizes.positions.flatMap((_, s) =>
    Array.from({ length: sizes.width }, (_, page) => pageOf(sizes, s, page)),
  );

/** The row of the cache that holds a position of a sequence. */
export const cacheRowOf = (sizes: CacheSizes, s: number, position: number) =>
  pageOf(sizes, s, Math.floor(position / sizes.pageSize)) * sizes.pageSize +
  (position % sizes.pageSize);

/** So many rows of so many heads, of `numbers` each: zeros. */
export function emptyCache(
  scope: Scope,
  type: CacheType,
  [rows, heads, numbers]: readonly [number, number, number],
): Tensor {
  const shape = [rows, heads * cachedHeadSize(type, numbers)];
  const { storage } = scope.zeros([(sizeOf(shape) * bytesPerElement[type]) / 4]);
  return new Tensor(shape, type, storage);
}

/** Pages are handed out in reverse, so that none lies where a careless kernel would look. */
function pageOf({ positions, width }: CacheSizes, s: number, page: number): number {
  return positions.length * width - 1 - s * width - (page % width);
}
