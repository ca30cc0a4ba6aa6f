/**
 * Byte pair encoding (Sennrich et al. 2016) of long words. Whoever sends a server megabytes without a
 * space or a digit would keep it from everything else for half a minute with a queue of nodes as the
 * library has one. Here a word is three arrays, and merges are made rank by rank: all places of one
 * merge from left to right, then those of the next.
 */
import { Heap } from './heap.ts';

/** A merge: the tokens that it joins, and the one that they become. */
interface Merge {
  left: number;
  right: number;
  joined: number;
}

export class LongWords {
  readonly #tokenIds: ReadonlyMap<string, number>;
  /** By rank. */
  readonly #merges: readonly Merge[];
  readonly #ranks = new Map<number, number>();

  /**
   * For the merges of a vocabulary; `null` if they cannot be made rank by rank, because one makes a
   * token that an earlier one needs or makes.
   */
  static of(
    merges: readonly (string | readonly string[])[],
    tokenIds: ReadonlyMap<string, number>,
  ): LongWords | null {
    const made = new Set<number>();
    const used = new Set<number>();
    const known: Merge[] = [];
    for (const merge of merges) {
      const [left = '', right = ''] = typeof merge === 'string' ? merge.split(' ', 2) : merge;
      const ids = [left, right, left + right].map((token) => tokenIds.get(token));
      if (ids.includes(undefined)) return null;
      const [leftId, rightId, joined] = ids as [number, number, number];
      used.add(leftId).add(rightId);
      if (made.has(joined) || used.has(joined)) return null;
      made.add(joined);
      known.push({ left: leftId, right: rightId, joined });
    }
    return new LongWords(known, tokenIds);
  }

  private constructor(merges: readonly Merge[], tokenIds: ReadonlyMap<string, number>) {
    this.#merges = merges;
    this.#tokenIds = tokenIds;
    for (const [rank, { left, right }] of merges.entries()) {
      this.#ranks.set(this.#pair(left, right), rank);
    }
  }

  /** Ids of a word that is written in the byte alphabet. */
  encode(word: string): number[] {
    const end = word.length;
    /** The token at each place where one begins. */
    const ids = Int32Array.from(word, (char) => this.#tokenIds.get(char)!);
    /** Where the tokens after and before it begin. */
    const next = Int32Array.from(ids, (_, at) => at + 1);
    const previous = Int32Array.from(ids, (_, at) => at - 1);
    const places = new Places();
    const look = (at: number) => {
      const after = next[at]!;
      if (after === end) return;
      const rank = this.#ranks.get(this.#pair(ids[at]!, ids[after]!));
      if (rank !== undefined) places.add(rank, at);
    };
    for (let at = 0; at < end; at++) look(at);

    for (let lowest = places.takeLowest(); lowest !== undefined; lowest = places.takeLowest()) {
      const { left, right, joined } = this.#merges[lowest.rank]!;
      for (const at of lowest.places) {
        const after = next[at]!;
        // Another merge may have taken one of the two, or the same place is here twice.
        if (after === end || ids[at] !== left || ids[after] !== right) continue;
        ids[at] = joined;
        ids[after] = -1;
        next[at] = next[after]!;
        if (next[at] !== end) previous[next[at]!] = at;
        if (previous[at]! >= 0) look(previous[at]!);
        look(at);
      }
    }
    return Array.from(ids.filter((id) => id >= 0));
  }

  #pair(left: number, right: number): number {
    return left * this.#tokenIds.size + right;
  }
}

/** Where merges can be made, by their ranks. */
class Places {
  readonly #places = new Map<number, number[]>();
  readonly #ranks = new Heap<number>((a, b) => a < b);

  add(rank: number, at: number): void {
    const places = this.#places.get(rank);
    if (places !== undefined) {
      places.push(at);
    } else {
      this.#places.set(rank, [at]);
      this.#ranks.push(rank);
    }
  }

  /** Those of the lowest rank, from left to right. */
  takeLowest(): { rank: number; places: Int32Array } | undefined {
    const rank = this.#ranks.pop();
    if (rank === undefined) return undefined;
    const places = Int32Array.from(this.#places.get(rank)!).sort();
    this.#places.delete(rank);
    return { rank, places };
  }
}
