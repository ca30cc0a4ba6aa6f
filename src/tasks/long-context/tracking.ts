/**
 * Chains that have to be followed through a long text: variables that are set to each other (RULER's
 * variable tracking, Hsieh et al. 2024), and people who each know the next (multi-hop).
 */
import type { Random } from '../../random.ts';
import { solve } from '../solution.ts';
import type { Language, Level, Problem, ProblemOptions, TaskFamily } from '../task.ts';
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
  const placed: { variable: Variable; place: number }[] = [];
  for (const [chain, value] of values.entries()) {
    const places = Array.from({ length }, () => random.uniform()).sort((a, b) => a - b);
    let from: Variable | undefined;
    for (const [i, place] of places.entries()) {
      const name = names[chain * length + i]!;
      const variable: Variable = { name, source: from?.name ?? value, value, from };
      placed.push({ variable, place });
      from = variable;
    }
  }
  const inOrder = placed.sort((a, b) => a.place - b.place).map(({ variable }) => variable);
  const sentences = inOrder.map(({ name, source }) => sentence(name, source));
  const tokens = lengthOf(random, options);
  const text = bury(random, sentences, language, tokens, countTokens);
  const own = inOrder.filter(({ value }) => value === values[0]);
  const last = own.at(-1)!;
  const askValue = random.chance(0.5);
  const steps = askValue ? wayBack(last) : compareAll(inOrder, values[0]!, language);
  const question = askValue
    ? { en: `What is the value of ${last.name}?`, zh: `${last.name}的值是多少？` }
    : { en: `Which variables have the value ${values[0]}?`, zh: `哪些变量的值是${values[0]}？` };
  const answers = askValue ? [last.value] : own.map(({ name }) => name);
  return {
    family: 'tracking',
    key: `tracking ${sentences.join(' ')}`,
    messages: [{ role: 'user', content: `${text}\n${question[language]}` }],
    thinking,
    solution: solve(thinking, steps, answers.join(', ')),
    verify: acceptsSet(answers),
  };
}

/** From a variable back to its value: each sentence names what is to be looked up next. */
function wayBack({ name, source, from }: Variable): string[] {
  return [sentence(name, source), ...(from ? wayBack(from) : [])];
}

/**
 * Every variable in the order of the text with its value, and whether it is the one wanted: to find
 * the variable that is set to something given would be to look up in the wrong direction.
 */
function compareAll(variables: readonly Variable[], wanted: string, language: Language): string[] {
  const [yes, no] = language === 'en' ? ['yes', 'no'] : ['是', '否'];
  return variables.map(({ name, source, value }) => {
    const way = source === value ? value : `${source} ${value}`;
    return `${name}: ${way} ${value === wanted ? yes : no}`;
  });
}

interface Variable {
  name: string;
  /** What it is set to: a number or the name of another. */
  source: string;
  value: string;
  from: Variable | undefined;
}

const sentence = (name: string, source: string) => `VAR ${name} = ${source}.`;

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

/** A letter and two digits, such as K47: each a token, whatever stands before it. */
function variableNames(random: Random, count: number): string[] {
  const names = new Set<string>();
  while (names.size < count) {
    names.add(`${random.pick([...'ABCDEFGHJKLMNPQRSTUVWXYZ'])}${random.int(10, 99)}`);
  }
  return [...names];
}

function distinctValues(random: Random, count: number): string[] {
  const values = new Set<string>();
  while (values.size < count) values.add(String(random.int(10_000, 99_999)));
  return [...values];
}
