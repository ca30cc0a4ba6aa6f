/** What is done to a list, one thing after another, and the lists that it is tried on. */
import type { Random } from '../../random.ts';
import type { Phrase } from '../words.ts';
import { CHANGE, JOIN, KEEP, type Kind, LETTERS, type Part } from './parts.ts';
import type { Json } from './quickjs.ts';

/** What a list holds. */
export const ITEMS: Readonly<Record<Kind, Phrase>> = {
  number: { en: 'numbers', zh: '数' },
  text: { en: 'words', zh: '单词' },
};

export interface Step {
  words: Phrase;
  line: string;
  apply(list: Json[]): Json[];
}

export function keepStep({ words, code, apply }: Part<Json, boolean>, items: Phrase): Step {
  return {
    words: { en: `keep those ${words.en}`, zh: `保留${words.zh}${items.zh}` },
    line: `list = list.filter((x) => ${code});`,
    apply: (list) => list.filter((x) => apply(x)),
  };
}

export function changeStep({ words, code, apply }: Part<Json, Json>): Step {
  return {
    words: { en: `make each ${words.en}`, zh: `每个${words.zh}` },
    line: `list = list.map((x) => ${code});`,
    apply: (list) => list.map((x) => apply(x)),
  };
}

export function runSteps(steps: readonly Step[], list: Json[]): Json[] {
  return steps.reduce((items, { apply }) => apply(items), list);
}

export function randomKeep(random: Random, kind: Kind): Part<Json, boolean> {
  return random.pick(KEEP[kind] as typeof KEEP.number)(random) as Part<Json, boolean>;
}

export function randomChange(random: Random, kind: Kind): Part<Json, Json> {
  return random.pick(CHANGE[kind] as typeof CHANGE.number)(random) as Part<Json, Json>;
}

export function randomJoin(random: Random, kind: Kind): Part<Json[], Json> {
  return random.pick(JOIN[kind] as typeof JOIN.number)(random) as Part<Json[], Json>;
}

/** Of `fewest` to `most` items. */
export function randomList(random: Random, kind: Kind, fewest: number, most: number): Json[] {
  return Array.from({ length: random.int(fewest, most) }, () =>
    kind === 'number' ? random.int(-20, 30) : randomWord(random),
  );
}

export function randomWord(random: Random): string {
  const word = Array.from({ length: random.int(1, 7) }, () => random.pick(LETTERS)).join('');
  return random.chance(0.2) ? word[0]!.toUpperCase() + word.slice(1) : word;
}
