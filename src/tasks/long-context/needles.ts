/**
 * Needles in a haystack, in the manner of RULER (Hsieh et al. 2024): numbers that are said somewhere
 * in a text of any length, with single needles, others that look alike, several values of one key,
 * and several questions at once.
 */
import type { Random } from '../../random.ts';
import { solve } from '../solution.ts';
import type { Language, Level, TaskFamily } from '../task.ts';
import { acceptsLastLine, acceptsSet } from '../verdict.ts';
import { ANIMALS, COLORS, type Phrase } from '../words.ts';
import { bury, lengthOf } from './haystack.ts';

interface Needle {
  key: Phrase;
  value: string;
}

interface Kind {
  /** All that is buried, and which of it is asked for, in the text's order. */
  make(random: Random): { needles: Needle[]; asked: Needle[] };
}

/**
 * Easy: one needle, or one of a few, in up to 200 tokens. Medium: one of many, two or three values or
 * questions, up to 500. Hard: more of each, up to 1,200. `tokens` makes any of them longer.
 */
export const needles: TaskFamily = {
  name: 'needles',
  description: 'finds numbers that a long text says somewhere: one, one of many, or several',
  scalable: true,
  generate(random, options) {
    const { language, level, thinking, countTokens } = options;
    const kind = random.pick(KINDS[level]);
    const { needles, asked } = kind.make(random);
    const wording = random.pick(WORDINGS);
    const say = ({ key, value }: Needle) => wording.state(key[language], value)[language];
    const tokens = lengthOf(random, options);
    const text = bury(random, needles.map(say), language, tokens, countTokens);
    const keys = [...new Set(asked.map(({ key }) => key[language]))];
    const question = wording.ask(join(keys, language), asked.length > 1)[language];
    const values = asked.map(({ value }) => value);
    const questionFirst = random.chance(0.2);
    return {
      family: 'needles',
      key: `needles ${needles.map(({ key, value }) => `${key.en}=${value}`).join(' ')}`,
      messages: [
        {
          role: 'user',
          content: questionFirst ? `${question}\n${text}` : `${text}\n${question}`,
        },
      ],
      thinking,
      solution: solve(thinking, asked.map(say), values.join(', ')),
      // Several keys are answered in the order of the question; several values of one in any.
      verify:
        keys.length > 1
          ? acceptsLastLine(values.join(', '), values.join('，'))
          : acceptsSet(values),
    };
  },
};

const WORDINGS: readonly {
  state(key: string, value: string): Phrase;
  ask(keys: string, many: boolean): Phrase;
}[] = [
  {
    state: (key, value) => ({
      en: `The number of the ${key} is ${value}.`,
      zh: `${key}的号码是${value}。`,
    }),
    ask: (keys, many) => ({
      en: many ? `What are the numbers of the ${keys}?` : `What is the number of the ${keys}?`,
      zh: many ? `${keys}的号码分别是什么？` : `${keys}的号码是什么？`,
    }),
  },
  {
    state: (key, value) => ({
      en: `Remember: the ${key} has the code ${value}.`,
      zh: `请记住：${key}的密码是${value}。`,
    }),
    ask: (keys, many) => ({
      en: many ? `Which codes have the ${keys}?` : `Which code has the ${keys}?`,
      zh: many ? `${keys}的密码有哪些？` : `${keys}的密码是多少？`,
    }),
  },
];

const single: Kind = {
  make(random) {
    const needles = distinct(random, 1);
    return { needles, asked: needles };
  },
};

/** One of several. */
function oneOf(fewest: number, most: number): Kind {
  return {
    make(random) {
      const needles = distinct(random, random.int(fewest, most));
      return { needles, asked: [random.pick(needles)] };
    },
  };
}

/** Several values of one key, among others. */
function valuesOf(values: number, others: number): Kind {
  return {
    make(random) {
      const drawn = distinct(random, values + others);
      const { key } = drawn[0]!;
      const needles = random.shuffle(
        drawn.map((needle, i) => (i < values ? { ...needle, key } : needle)),
      );
      return { needles, asked: needles.filter((needle) => needle.key === key) };
    },
  };
}

/** Several questions at once. */
function several(asked: number, others: number): Kind {
  return {
    make(random) {
      const needles = distinct(random, asked + others);
      return { needles, asked: random.shuffle(needles).slice(0, asked) };
    },
  };
}

const KINDS: Record<Level, readonly Kind[]> = {
  easy: [single, oneOf(2, 4)],
  medium: [oneOf(5, 9), valuesOf(2, 3), several(2, 4), several(3, 2)],
  hard: [oneOf(12, 20), valuesOf(4, 6), several(4, 8)],
};

/** Needles with different keys, such as “red fox”, and different values of four digits. */
function distinct(random: Random, count: number): Needle[] {
  const drawn = new Map<string, Needle>();
  const values = new Set<string>();
  while (drawn.size < count) {
    const [color, animal] = [random.pick(COLORS), random.pick(ANIMALS)];
    const value = String(random.int(1000, 9999));
    if (values.has(value)) continue;
    const key = { en: `${color.en} ${animal.en}`, zh: `${color.zh}${animal.zh}` };
    if (drawn.has(key.en)) continue;
    values.add(value);
    drawn.set(key.en, { key, value });
  }
  return [...drawn.values()];
}

function join(keys: readonly string[], language: Language): string {
  if (language === 'zh') return keys.join('、');
  return keys.length < 2
    ? keys.join('')
    : `${keys.slice(0, -1).join(', the ')} and the ${keys.at(-1)}`;
}
