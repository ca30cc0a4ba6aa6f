// Which rows meet which expert in the products of inference: see products.ts.

/**
 * The slots of each chosen expert, so that its weights are read once for all of them. `chosen` i32 [slots]
 * → `counts`: how many experts were chosen, and the most slots of one; `entries` of these in order, three
 * i32 each; and `list`, of all slots. `ends`: scratch, i32 [experts + 1]. Uses one item.
 */
export function expertEntries(
  chosen: usize, slots: i32, experts: i32, ends: usize, counts: usize, entries: usize, list: usize,
  _begin: i32, _end: i32, _thread: i32,
): void {
  memory.fill(ends, 0, <usize>(experts + 1) << 2);
  for (let slot = 0; slot < slots; slot++) {
    const end = ends + (<usize>load<i32>(chosen + (<usize>slot << 2)) << 2);
    store<i32>(end, load<i32>(end, 4) + 1, 4);
  }
  let longest = 0;
  let entry = entries;
  for (let expert = 0; expert < experts; expert++) {
    const at = ends + (<usize>expert << 2);
    const first = load<i32>(at), count = load<i32>(at, 4);
    store<i32>(at, first + count, 4);
    if (count == 0) continue;
    longest = max(longest, count);
    store<i32>(entry, expert);
    store<i32>(entry, first, 4);
    store<i32>(entry, first + count, 8);
    entry += 12;
  }
  store<i32>(counts, <i32>(entry - entries) / 12);
  store<i32>(counts, longest, 4);
  // From here on ends[e] is where the next slot of expert e goes.
  for (let slot = 0; slot < slots; slot++) {
    const end = ends + (<usize>load<i32>(chosen + (<usize>slot << 2)) << 2);
    const at = load<i32>(end);
    store<i32>(end, at + 1);
    store<i32>(list + (<usize>at << 2), slot);
  }
}
