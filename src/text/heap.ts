/** A binary heap: `pop` gives the entry that `before` puts ahead of all others. */
export class Heap<Entry> {
  readonly #before: (a: Entry, b: Entry) => boolean;
  readonly #entries: Entry[] = [];

  constructor(before: (a: Entry, b: Entry) => boolean) {
    this.#before = before;
  }

  push(entry: Entry): void {
    const entries = this.#entries;
    let child = entries.length;
    entries.push(entry);
    while (child > 0) {
      const parent = (child - 1) >> 1;
      if (!this.#before(entry, entries[parent]!)) break;
      entries[child] = entries[parent]!;
      child = parent;
    }
    entries[child] = entry;
  }

  pop(): Entry | undefined {
    const entries = this.#entries;
    const top = entries[0];
    const last = entries.pop();
    if (last === undefined || entries.length === 0) return top;
    let parent = 0;
    for (;;) {
      let child = 2 * parent + 1;
      if (child >= entries.length) break;
      if (child + 1 < entries.length && this.#before(entries[child + 1]!, entries[child]!)) child++;
      if (!this.#before(entries[child]!, last)) break;
      entries[parent] = entries[child]!;
      parent = child;
    }
    entries[parent] = last;
    return top;
  }
}
