/**
 * Random numbers that are the same on every machine: xoshiro128** (Blackman and Vigna 2018), its
 * state filled by splitmix32 from a hash of the seed. The state can be saved and restored.
 */
export class Random {
  readonly #state: Uint32Array;

  /** Equal seeds give equal numbers; `stream` says what they are for, and gives each use its own. */
  constructor(seed: number | string, stream = '') {
    let counter = hashText(`${seed}\n${stream}`);
    this.#state = Uint32Array.from({ length: 4 }, () => {
      counter = (counter + 0x9e3779b9) | 0;
      return mix(counter);
    });
  }

  /** A generator of its own, for a part of the work whose draws should not shift the others'. */
  split(): Random {
    return new Random(this.#next());
  }

  /** Uniform in [0, 1), with 53 random bits. */
  uniform(): number {
    return ((this.#next() >>> 5) * 2 ** 26 + (this.#next() >>> 6)) / 2 ** 53;
  }

  /** Uniform whole number from `min` to `max`, both included. */
  int(min: number, max: number): number {
    return min + Math.floor(this.uniform() * (max - min + 1));
  }

  /** True with the given probability. */
  chance(probability: number): boolean {
    return this.uniform() < probability;
  }

  pick<Item>(items: readonly Item[]): Item {
    if (items.length === 0) throw new Error('cannot pick from an empty list');
    return items[this.int(0, items.length - 1)]!;
  }

  /** One of `items`, each in proportion to its weight. */
  weighted<Item extends { weight: number }>(items: readonly Item[]): Item {
    let left = this.uniform() * items.reduce((sum, { weight }) => sum + weight, 0);
    for (const item of items) {
      left -= item.weight;
      if (left < 0) return item;
    }
    return items.at(-1)!;
  }

  /** A copy in random order. */
  shuffle<Item>(items: readonly Item[]): Item[] {
    const shuffled = [...items];
    for (let i = shuffled.length - 1; i > 0; i--) {
      const j = this.int(0, i);
      [shuffled[i], shuffled[j]] = [shuffled[j]!, shuffled[i]!];
    }
    return shuffled;
  }

  /** Normal numbers of mean 0 (Box-Muller). */
  normals(count: number, deviation: number): Float32Array {
    const result = new Float32Array(count);
    for (let i = 0; i < count; i += 2) {
      const radius = deviation * Math.sqrt(-2 * Math.log(1 - this.uniform()));
      const angle = 2 * Math.PI * this.uniform();
      result[i] = radius * Math.cos(angle);
      if (i + 1 < count) result[i + 1] = radius * Math.sin(angle);
    }
    return result;
  }

  /** 32 random bits, unsigned. */
  #next(): number {
    const s = this.#state;
    const result = Math.imul(rotateLeft(Math.imul(s[1]!, 5), 7), 9) >>> 0;
    const shifted = s[1]! << 9;
    s[2]! ^= s[0]!;
    s[3]! ^= s[1]!;
    s[1]! ^= s[2]!;
    s[0]! ^= s[3]!;
    s[2]! ^= shifted;
    s[3] = rotateLeft(s[3]!, 11);
    return result;
  }
}

/** A 32-bit hash of a text: FNV-1a over its UTF-16 units, mixed so that every bit depends on all. */
export function hashText(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) {
    hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  }
  return mix(hash);
}

/** The finaliser of splitmix32. */
function mix(value: number): number {
  let mixed = value;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x21f0aaad);
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
  return (mixed ^ (mixed >>> 15)) >>> 0;
}

function rotateLeft(value: number, bits: number): number {
  return (value << bits) | (value >>> (32 - bits));
}
