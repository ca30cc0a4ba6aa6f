import { cacheElement, cacheReader } from '../cache-format.ts';
import { innerElement } from './products.ts';

export const cacheRowParameters = { rows: 'u32', width: 'u32' } as const;

/** Where a position lies in a cache: see `CachedRows`. Needs the tensor `rowPlaces` and these parameters. */
export const cacheRow = (pageSize: number) => /* wgsl */ `
fn positionOf(row: u32) -> u32 { return u32(rowPlaces[row]); }
fn sequenceOf(row: u32) -> u32 { return u32(rowPlaces[p.rows + row]); }
fn cacheRow(sequence: u32, position: u32) -> u32 {
  let page = position / ${pageSize}u % p.width;
  let entry = rowPlaces[2u * p.rows + sequence * p.width + page];
  return u32(entry) * ${pageSize}u + position % ${pageSize}u;
}`;

/** What attention to a cache reads: `keysAt` and `valuesAt` give units of the row that `cacheRow` finds. */
export function cacheReading({
  keyDim,
  valueDim,
  pageSize,
  halves,
}: {
  keyDim: number;
  valueDim: number;
  pageSize: number;
  /** Whether the cache is in f16. */
  halves: boolean;
}) {
  const [keyElement, valueElement] = [innerElement(keyDim), innerElement(valueDim)];
  return {
    bindings: {
      query: `read ${keyElement}`,
      keys: `read ${cacheElement(keyElement, halves)}`,
      values: `read ${cacheElement(valueElement, halves)}`,
      rowPlaces: 'read i32',
    },
    head: /* wgsl */ `
${cacheRow(pageSize)}
${cacheReader('keysAt', 'keys', keyElement, halves)}
${cacheReader('valuesAt', 'values', valueElement, halves)}`,
  } as const;
}
