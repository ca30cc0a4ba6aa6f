/** Deterministic test data, from a small linear congruential generator. */
export class TestRandom {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** In [0, 1). */
  next(): number {
    this.#state = (Math.imul(this.#state, 1664525) + 1013904223) >>> 0;
    return (this.#state >>> 8) / 2 ** 24;
  }

  /** An integer in [0, limit). */
  int(limit: number): number {
    return Math.floor(this.next() * limit);
  }

  /** Roughly normal numbers of the given deviation. */
  floats(count: number, deviation = 1): Float32Array {
    return Float32Array.from({ length: count }, () => {
      const sum = this.next() + this.next() + this.next() + this.next() - 2;
      return sum * Math.sqrt(3) * deviation;
    });
  }

  ints(count: number, limit: number): Int32Array {
    return Int32Array.from({ length: count }, () => this.int(limit));
  }
}
