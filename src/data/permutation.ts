/**
 * A random order of 0 … count−1 that is computed number by number, so that it takes no memory: a
 * Feistel network of four rounds over the next even power of two, walked until it lands below `count`
 * (Black and Rogaway 2002, generalized-Feistel and cycle-walking ciphers).
 */
import { hashText } from '../random.ts';

const ROUNDS = 4;

/** @returns the number at a place of the order; another order for each seed */
export function permutation(count: number, seed: string): (place: number) => number {
  const halfBits = Math.max(1, Math.ceil(Math.log2(Math.max(2, count)) / 2));
  const half = 2 ** halfBits;
  const keys = Array.from({ length: ROUNDS }, (_, round) => hashText(`${seed} ${round}`));
  const once = (value: number): number => {
    let [left, right] = [Math.floor(value / half), value % half];
    for (const key of keys) {
      [left, right] = [right, (left + mix(right ^ key)) % half];
    }
    return left * half + right;
  };
  return (place) => {
    let value = once(place);
    while (value >= count) value = once(value);
    return value;
  };
}

/** The finaliser of MurmurHash3. */
function mix(value: number): number {
  let mixed = value;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}
