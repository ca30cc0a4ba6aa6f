/**
 * Chains that have to be followed through a long text: variables that are set to each other (RULER's
 * variable tracking, Hsieh et al. 2024), and people who each know the next (multi-hop).
 */
import type { Random } from '../../random.ts';
import { solve } from '../solution.ts';
import type { Level, Problem, ProblemOptions, TaskFamily } from '../task.ts';
import { acceptsLastLine, acceptsSet } from '../verdict.ts';
import { NAMES, phrases } from '../words.ts';
import { bury, lengthOf } from './haystack.ts';

/**
 * Easy: a chain of two links. Medium: three, with another chain beside it. Hard: five, with two
 * others. `tokens` makes the text longer.
 */
export const tracking: TaskFamily = {
  name: 'tracking',
  description:
    'follows variables set to each other, and people who know each other, through a text',
  scalable: true,
  generate(random, options) {
    return random.chance(0.5) ? variables(random, options) : hops(random, options);
  },
};

const CHAINS: Record<Level, { links: [number, number]; chains: number }> = {
  easy: { links: [1, 2], chains: 1 },
  medium: { links: [2, 3], chains: 2 },
  hard: { links: [4, 6], chains: 3 },
};

function variables(random: Random, options: ProblemOptions): Problem {
  const { language, level, thinking, countTokens } = options;
  const { links: count, chains } = CHAINS[level];
  const length = random.int(...count) + 1;
  const names = variableNames(random, length * chains);
  const values = distinctValues(random, chains);
  const say = (name: string, source: string) => `VAR ${name} = ${source}.`;
  const lines: { line: string; place: number }[] = [];
  for (let chain = 0; chain < chains; chain++) {
    const places = Array.from({ length }, () => random.uniform()).sort((a, b) => a - b);
    for (let i = 0; i < length; i++) {
      const name = names[chain * length + i]!;
      const source = i === 0 ? values[chain]! : names[chain * length + i - 1]!;
      lines.push({ line: say(name, source), place: places[i]! });
    }
  }
  const sentences = lines.sort((a, b) => a.place - b.place).map(({ line }) => line);
  const tokens = lengthOf(random, options);
  const text = bury(random, sentences, language, tokens, countTokens);
  const own = names.slice(0, length);
  const way = own.map((name, i) => say(name, i === 0 ? values[0]! : own[i - 1]!));
  const askValue = random.chance(0.5);
  // Each sentence is found by the one before: from the variable back to its value, or from the value on.
  const steps = askValue ? way.toReversed() : way;
  const last = own.at(-1)!;
  const question = askValue
    ? { en: `What is the value of ${last}?`, zh: `${last}的值是多少？` }
    : { en: `Which variables have the value ${values[0]}?`, zh: `哪些变量的值是${values[0]}？` };
  return {
    family: 'tracking',
    key: `tracking ${sentences.join(' ')}`,
    messages: [{ role: 'user', content: `${text}\n${question[language]}` }],
    thinking,
    solution: solve(thinking, steps, askValue ? values[0]! : own.join(', ')),
    verify: acceptsSet(askValue ? [values[0]!] : own),
  };
}

/** “The friend of Anna is Ben.”: whom does one come to after some steps? */
function hops(random: Random, options: ProblemOptions): Problem {
  const { language, level, thinking, countTokens } = options;
  const { links, chains } = CHAINS[level];
  const steps = random.int(...links);
  const names = random.shuffle(NAMES.zh.map((_, i) => i)).map((i) => NAMES[language][i]!);
  const relation = random.pick(RELATIONS)[language];
  const known: [string, string][] = [];
  let at = 0;
  for (let chain = 0; chain < chains && at + steps < names.length; chain++, at += steps + 1) {
    for (let i = 0; i < steps; i++) known.push([names[at + i]!, names[at + i + 1]!]);
  }
  const say = ([from, to]: [string, string]) =>
    language === 'en' ? `The ${relation} of ${from} is ${to}.` : `${from}的${relation}是${to}。`;
  const path = known.slice(0, steps);
  const sentences = random.shuffle(known).map(say);
  const answer = names[steps]!;
  const asked =
    language === 'en'
      ? `${'the '.concat(relation, ' of ').repeat(steps)}${names[0]}`
      : `${names[0]}${`的${relation}`.repeat(steps)}`;
  const question = language === 'en' ? `Who is ${asked}?` : `${asked}是谁？`;
  const tokens = lengthOf(random, options);
  const text = bury(random, sentences, language, tokens, countTokens);
  return {
    family: 'tracking',
    key: `tracking ${relation} ${sentences.join(' ')}`,
    messages: [{ role: 'user', content: `${text}\n${question}` }],
    thinking,
    solution: solve(thinking, path.map(say), answer),
    verify: acceptsLastLine(answer),
  };
}

const RELATIONS = phrases(
  `friend 朋友; teacher 老师; neighbor 邻居; boss 老板; cousin 表亲; doctor 医生`,
);

/** Two or three letters, such as QX or BKT. */
function variableNames(random: Random, count: number): string[] {
  const names = new Set<string>();
  while (names.size < count) {
    const length = random.int(2, 3);
    names.add(Array.from({ length }, () => random.pick([...'ABCDEFGHJKLMNPQRSTUVWXYZ'])).join(''));
  }
  return [...names];
}

function distinctValues(random: Random, count: number): string[] {
  const values = new Set<string>();
  while (values.size < count) values.add(String(random.int(10_000, 99_999)));
  return [...values];
}
