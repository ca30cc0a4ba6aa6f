/**
 * Which expert a workgroup works for, found in `offsets` by halving.
 *
 * Tiles of a grouped product: expert e gets the tiles from ⌊offsets[e]/size⌋ + e on. That leaves it at
 * least as many as it needs, since ⌈n/size⌉ ≤ ⌊(r + n)/size⌋ + 1 for any r, and needs no more than
 * ⌊S/size⌋ + E in all: so a grid can be launched without knowing the counts.
 */
export const findExpert = /* wgsl */ `
/** The expert whose rows hold this row. */
fn expertOfRow(row: u32, experts: u32) -> u32 {
  var low = 0u;
  var high = experts;
  while (high - low > 1u) {
    let middle = (low + high) / 2u;
    if (offsets[middle] <= row) { low = middle; } else { high = middle; }
  }
  return low;
}

fn firstTile(expert: u32, size: u32) -> u32 { return offsets[expert] / size + expert; }

/** The expert whose tiles hold this tile. */
fn expertOfTile(tile: u32, experts: u32, size: u32) -> u32 {
  var low = 0u;
  var high = experts;
  while (high - low > 1u) {
    let middle = (low + high) / 2u;
    if (firstTile(middle, size) <= tile) { low = middle; } else { high = middle; }
  }
  return low;
}`;
