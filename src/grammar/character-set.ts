/** Sets of characters, and the bytes that UTF-8 writes them in. */

/** Code points in ascending ranges, both ends included, that neither touch nor overlap. */
export type CharacterSet = readonly (readonly [low: number, high: number])[];

export type ByteRange = readonly [low: number, high: number];

/** All that UTF-8 can write: surrogates are no characters. */
export const anyCharacter: CharacterSet = [
  [0, 0xd7ff],
  [0xe000, 0x10ffff],
];

export function union(...sets: readonly CharacterSet[]): CharacterSet {
  const merged: [number, number][] = [];
  for (const [low, high] of sets.flat().sort(([a], [b]) => a - b)) {
    const last = merged.at(-1);
    if (last && low <= last[1] + 1) last[1] = Math.max(last[1], high);
    else merged.push([low, high]);
  }
  return merged;
}

/** The characters of a set that are not in another. */
export function without(set: CharacterSet, taken: CharacterSet): CharacterSet {
  return set.flatMap((range) => {
    const left: [number, number][] = [];
    let [begin] = range;
    for (const [low, high] of taken) {
      if (high < begin || low > range[1]) continue;
      if (low > begin) left.push([begin, low - 1]);
      begin = high + 1;
    }
    if (begin <= range[1]) left.push([begin, range[1]]);
    return left;
  });
}

export function complement(set: CharacterSet): CharacterSet {
  return without(anyCharacter, set);
}

export function charactersOf(text: string): CharacterSet {
  return union(
    [...text].map((character) => [character.codePointAt(0)!, character.codePointAt(0)!]),
  );
}

export function contains(set: CharacterSet, character: string): boolean {
  const code = character.codePointAt(0)!;
  return set.some(([low, high]) => low <= code && code <= high);
}

/** The forms that a set's characters have in UTF-8: in each, any byte of the first range, and so on. */
export function utf8Forms(set: CharacterSet): ByteRange[][] {
  return set.flatMap(([low, high]) => formsOf(low, high));
}

const lastOfLength = [0x7f, 0x7ff, 0xffff];

function formsOf(low: number, high: number): ByteRange[][] {
  const cut = lastOfLength.find((last) => low <= last && last < high);
  if (cut !== undefined) return [...formsOf(low, cut), ...formsOf(cut + 1, high)];
  if (high <= 0x7f) return [[[low, high]]];
  // Where later bytes do not take all of their values, the range falls apart.
  for (const bits of [6, 12, 18]) {
    const rest = 2 ** bits - 1;
    if ((low & ~rest) === (high & ~rest)) continue;
    if ((low & rest) !== 0) {
      return [...formsOf(low, low | rest), ...formsOf((low | rest) + 1, high)];
    }
    if ((high & rest) !== rest) {
      return [...formsOf(low, (high & ~rest) - 1), ...formsOf(high & ~rest, high)];
    }
  }
  const [first, last] = [utf8Of(low), utf8Of(high)];
  return [[...first].map((byte, i) => [byte, last[i]!] as const)];
}

const encoder = new TextEncoder();

function utf8Of(code: number): Uint8Array {
  return encoder.encode(String.fromCodePoint(code));
}
