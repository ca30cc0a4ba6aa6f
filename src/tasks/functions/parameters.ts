/** Parameters of functions: their schemas, and values with how a user says them. */
import type { Random } from '../../random.ts';
import type { Phrase } from '../words.ts';

export type Value = string | number | boolean | string[];

/** A value, and how a user says it. */
export interface Said {
  value: Value;
  words: Phrase;
}

export interface Parameter {
  names: readonly string[];
  schema: Record<string, unknown>;
  about: Phrase;
  draw(random: Random): Said;
}

/** Words that are to be written as they stand: they are the same in both languages. */
export function words(names: string, about: string, list: readonly Phrase[]): Parameter {
  return {
    names: names.split(' '),
    schema: { type: 'string' },
    about: split(about),
    draw(random) {
      const phrase = random.pick(list);
      return { value: phrase.en, words: { en: phrase.en, zh: phrase.en } };
    },
  };
}

export function number(names: string, about: string, low: number, high: number): Parameter {
  return {
    names: names.split(' '),
    schema: { type: 'integer' },
    about: split(about),
    draw(random) {
      const value = random.int(low, high);
      return { value, words: { en: String(value), zh: String(value) } };
    },
  };
}

/** One of a few values that a user has words for. */
export function choice(
  names: string,
  about: string,
  type: string,
  said: readonly Said[],
): Parameter {
  const values = said.map(({ value }) => value);
  return {
    names: names.split(' '),
    schema: type === 'string' ? { type, enum: values } : { type },
    about: split(about),
    draw: (random) => random.pick(said),
  };
}

export function list(names: string, about: string, items: readonly Phrase[]): Parameter {
  return {
    names: names.split(' '),
    schema: { type: 'array', items: { type: 'string' } },
    about: split(about),
    draw(random) {
      const value = random
        .shuffle(items)
        .slice(0, random.int(2, 3))
        .map(({ en }) => en);
      return { value, words: { en: value.join(' and '), zh: value.join('和') } };
    },
  };
}

/** The English and, after the last space, the Chinese. */
export function split(text: string): Phrase {
  const space = text.lastIndexOf(' ');
  return { en: text.slice(0, space), zh: text.slice(space + 1) };
}
