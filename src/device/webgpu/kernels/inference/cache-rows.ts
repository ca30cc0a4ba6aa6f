/**
 * Where a position lies in a cache: see `CachedRows`. Needs the tensor `rowPlaces` and the parameters
 * `rows` and `width`.
 */
export const cacheRowParameters = { rows: 'u32', width: 'u32' } as const;

export const cacheRow = (pageSize: number) => /* wgsl */ `
fn positionOf(row: u32) -> u32 { return u32(rowPlaces[row]); }
fn sequenceOf(row: u32) -> u32 { return u32(rowPlaces[p.rows + row]); }
fn cacheRow(sequence: u32, position: u32) -> u32 {
  let page = position / ${pageSize}u % p.width;
  let entry = rowPlaces[2u * p.rows + sequence * p.width + page];
  return u32(entry) * ${pageSize}u + position % ${pageSize}u;
}`;
