/** Numbers from 0 for names: each keeps its own while others come and go. */
export function keepSlots(
  old: ReadonlyMap<string, number>,
  names: readonly string[],
): Map<string, number> {
  const kept = new Map([...old].filter(([name]) => names.includes(name)));
  for (const name of names) {
    if (kept.has(name)) continue;
    const taken = new Set(kept.values());
    let free = 0;
    while (taken.has(free)) free++;
    kept.set(name, free);
  }
  return kept;
}
