/**
 * Finds stop strings in text that arrives in pieces. What may turn out to begin one is held back;
 * the one that is complete first ends the text, so nothing depends on where the pieces were cut.
 */
export class StopScanner {
  readonly #stops: readonly string[];
  readonly #longest: number;
  #held = '';
  #found: string | null = null;

  /** @param stops texts of at least one character each. */
  constructor(stops: readonly string[]) {
    this.#stops = stops;
    this.#longest = Math.max(0, ...stops.map((stop) => stop.length));
  }

  /** The stop string that ended the text. */
  get found(): string | null {
    return this.#found;
  }

  /** Text that is certainly not part of a stop string; nothing once one is found. */
  push(text: string): string {
    if (this.#found !== null) return '';
    const all = this.#held + text;
    const stop = this.#firstComplete(all);
    const end = stop === null ? all.length - this.#heldLength(all) : all.indexOf(stop);
    this.#found = stop;
    this.#held = stop === null ? all.slice(end) : '';
    return all.slice(0, end);
  }

  /** What was held back, now that no more comes. */
  end(): string {
    const text = this.#held;
    this.#held = '';
    return text;
  }

  #firstComplete(text: string): string | null {
    let first: string | null = null;
    let firstEnd = Number.POSITIVE_INFINITY;
    for (const stop of this.#stops) {
      const at = text.indexOf(stop);
      const end = at + stop.length;
      const isEarlier = end < firstEnd || (end === firstEnd && stop.length > first!.length);
      if (at >= 0 && isEarlier) {
        first = stop;
        firstEnd = end;
      }
    }
    return first;
  }

  /** Length of the longest end of `text` that a stop string starts with. */
  #heldLength(text: string): number {
    for (let length = Math.min(this.#longest - 1, text.length); length > 0; length--) {
      const end = text.slice(text.length - length);
      if (this.#stops.some((stop) => stop.length > length && stop.startsWith(end))) return length;
    }
    return 0;
  }
}
