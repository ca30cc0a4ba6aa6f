/** Small general knowledge, and questions that put a few facts together. */
import type { Random } from '../../random.ts';
import { solve } from '../solution.ts';
import type { Language, Level, TaskFamily } from '../task.ts';
import { acceptsLastLine } from '../verdict.ts';
import { capitalize } from '../words.ts';
import {
  bySize,
  fact,
  inUnits,
  isOfKind,
  oddOneOut,
  type Question,
  reverseFact,
  stepsOn,
} from './questions.ts';

/**
 * Easy: facts. Medium: facts asked the other way round, the next days and months, kinds, sizes and
 * units. Hard: longer counts, more to compare.
 */
export const knowledge: TaskFamily = {
  name: 'knowledge',
  description: 'small general knowledge: capitals, opposites, words, days, sizes, kinds, units',
  generate(random, { language, level, thinking }) {
    const { ask, steps, answer, isFact } = random.pick(KINDS[level])(random);
    const [opener, closer] = random.pick(FRAMES[language]);
    const bare = ask[language];
    const wording = `${opener}${opener === '' ? capitalize(bare) : bare}${closer}`;
    const value = answer[language];
    return {
      family: 'knowledge',
      // A fact cannot be found out, so in its bare wording it is always learnt.
      key: isFact && opener === '' ? null : `knowledge ${wording}`,
      messages: [{ role: 'user', content: wording }],
      thinking,
      solution: solve(
        thinking,
        steps.map((step) => step[language]),
        value,
      ),
      verify: acceptsLastLine(value, `${value}.`, `${value}。`),
    };
  },
};

const KINDS: Record<Level, readonly ((random: Random) => Question)[]> = {
  easy: [fact, fact, fact, (random) => stepsOn(random, 2), isOfKind],
  medium: [
    reverseFact,
    (random) => stepsOn(random, 6),
    (random) => bySize(random, 2),
    (random) => oddOneOut(random, 3),
    (random) => inUnits(random, 9),
  ],
  hard: [
    (random) => stepsOn(random, 40),
    (random) => bySize(random, 4),
    (random) => oddOneOut(random, 5),
    (random) => inUnits(random, 99),
  ],
};

const FRAMES: Record<Language, readonly (readonly [opener: string, closer: string])[]> = {
  en: [
    ['', '?'],
    ['', '?'],
    ['Tell me, ', '?'],
    ['Do you know: ', '?'],
    ['Please, ', '?'],
    ['A question: ', '?'],
    ['Hello, ', '?'],
    ['I want to know: ', '?'],
  ],
  zh: [
    ['', '？'],
    ['', '？'],
    ['请问，', '？'],
    ['告诉我，', '？'],
    ['我想知道，', '？'],
    ['你知道吗，', '？'],
    ['一个问题：', '？'],
    ['你好，', '？'],
  ],
};
