/**
 * Grade-school problems of any size, in the manner of GSM-Infinite (Zhou et al. 2025): a graph of
 * quantities, each known or computed from others, told in random order among as many quantities that
 * do not matter as one likes. The number of sums and the amount of noise are set apart from each other.
 */
import type { Random } from '../../random.ts';
import { solve } from '../solution.ts';
import { evaluate, type Operator, workedSum } from '../sums.ts';
import type { Language, Level, ProblemOptions, TaskFamily } from '../task.ts';
import { acceptsNumber } from '../verdict.ts';
import { type Phrase, PLACES, THINGS } from '../words.ts';
import { estimateTokens } from './haystack.ts';

interface Quantity {
  name: Phrase;
  value: number;
  /** What it is computed from; none for one that is told. */
  operator?: Operator;
  left?: Quantity;
  /** A quantity, or a number that is told with it. */
  right?: Quantity | number;
}

/**
 * Easy: 2 sums, noise of a quarter. Medium: 4 to 6 sums, half. Hard: 8 to 10 sums, as many quantities
 * of noise as of use. With `tokens`, noise fills the prompt.
 */
export const gsmGraph: TaskFamily = {
  name: 'gsm-graph',
  description: 'problems over graphs of quantities with any number of sums and any amount of noise',
  scalable: true,
  generate(random, options) {
    const { language, level, thinking } = options;
    const { sums, noise } = SIZES[level];
    const wanted = random.int(...sums);
    const free = new FreeNames(random);
    const graph = growGraph(random, free, wanted, LARGEST[level]);
    const asked = graph.at(-1)!;
    const told = [...graph, ...addNoise(random, free, graph, noise, options)];
    const separator = language === 'en' ? ' ' : '';
    const sentences = random.shuffle(told).map((quantity) => describe(quantity)[language]);
    const question = {
      en: `What is the number of ${asked.name.en}?`,
      zh: `${asked.name.zh}是多少？`,
    };
    return {
      family: 'gsm-graph',
      key: `gsm-graph ${graph.map((quantity) => describe(quantity).en).join(' ')}`,
      messages: [{ role: 'user', content: [...sentences, question[language]].join(separator) }],
      thinking,
      solution: solve(thinking, stepsTo(asked, language), String(asked.value)),
      verify: acceptsNumber(asked.value),
    };
  },
};

const SIZES: Record<Level, { sums: [number, number]; noise: number }> = {
  easy: { sums: [2, 2], noise: 0.25 },
  medium: { sums: [4, 6], noise: 0.5 },
  hard: { sums: [8, 10], noise: 1 },
};

const LARGEST: Record<Level, number> = { easy: 30, medium: 99, hard: 99 };

/** Quantities in an order in which they can be computed; all of them are needed for the last. */
function growGraph(random: Random, free: FreeNames, sums: number, largest: number): Quantity[] {
  const told = (): Quantity => ({ name: free.take(), value: random.int(2, 12) });
  const graph: Quantity[] = [told()];
  let current = graph[0]!;
  for (let made = 0; made < sums; made++) {
    // Another told quantity comes in, an earlier one comes back, or a number is told with the sum.
    const way = random.uniform();
    const other =
      way < 0.35
        ? told()
        : way < 0.5 && graph.length > 2
          ? random.pick(graph.slice(0, -1))
          : random.int(2, 9);
    const right = operatorsFor(current, other, largest).length > 0 ? other : random.int(2, 9);
    if (typeof right !== 'number' && !graph.includes(right)) graph.push(right);
    current = combine(random, free.take(), current, right, largest);
    graph.push(current);
  }
  return graph;
}

/** A quantity that is computed, with a value that is not negative and not too large. */
function combine(
  random: Random,
  name: Phrase,
  left: Quantity,
  right: Quantity | number,
  largest: number,
): Quantity {
  const operator = random.pick(operatorsFor(left, right, largest));
  return { name, value: evaluate(left.value, operator, amountOf(right)), operator, left, right };
}

/** Those that keep a value in bounds; for a small number there is always one. */
function operatorsFor(left: Quantity, right: Quantity | number, largest: number): Operator[] {
  return (['+', '+', '-', '-', '*'] as const).filter((operator) => {
    const value = evaluate(left.value, operator, amountOf(right));
    return value >= 0 && value <= largest && (operator !== '*' || typeof right === 'number');
  });
}

function amountOf(right: Quantity | number): number {
  return typeof right === 'number' ? right : right.value;
}

/** Quantities that the answer does not need; some are computed from those that it needs. */
function addNoise(
  random: Random,
  free: FreeNames,
  graph: readonly Quantity[],
  share: number,
  { language, tokens, countTokens = estimateTokens }: ProblemOptions,
): Quantity[] {
  const noise: Quantity[] = [];
  const add = (): Quantity => {
    const name = free.take();
    const from = random.pick([...graph, ...noise.slice(-20)]);
    const quantity = random.chance(0.5)
      ? { name, value: random.int(2, 99) }
      : combine(random, name, from, random.int(2, 9), 99);
    noise.push(quantity);
    return quantity;
  };
  if (tokens === undefined) {
    while (noise.length < Math.round(share * graph.length)) add();
    return noise;
  }
  const lengthOf = (quantity: Quantity) => countTokens(describe(quantity)[language]);
  let left = tokens - graph.reduce((sum, quantity) => sum + lengthOf(quantity), 0);
  while (left > 0) left -= lengthOf(add());
  return noise;
}

function describe({ name, value, operator, left, right }: Quantity): Phrase {
  const subject = { en: `The number of ${name.en}`, zh: name.zh };
  if (operator === undefined)
    return { en: `${subject.en} is ${value}.`, zh: `${subject.zh}是${value}。` };
  const from = left!.name;
  if (typeof right !== 'number') {
    const word = operator === '+' ? { en: 'plus', zh: '加' } : { en: 'minus', zh: '减' };
    return {
      en: `${subject.en} is that of ${from.en} ${word.en} that of ${right!.name.en}.`,
      zh: `${subject.zh}等于${from.zh}${word.zh}${right!.name.zh}。`,
    };
  }
  switch (operator) {
    case '*':
      return {
        en: `${subject.en} is ${right} times that of ${from.en}.`,
        zh: `${subject.zh}是${from.zh}的${right}倍。`,
      };
    case '-':
      return {
        en: `${subject.en} is ${right} less than that of ${from.en}.`,
        zh: `${subject.zh}比${from.zh}少${right}。`,
      };
    default:
      return {
        en: `${subject.en} is ${right} more than that of ${from.en}.`,
        zh: `${subject.zh}比${from.zh}多${right}。`,
      };
  }
}

/**
 * Worked so that each step looks up one thing: first the way from what is asked down to what is told,
 * and then up again, each quantity with what it is computed from in sight. Which quantity comes first
 * cannot be seen without the way.
 */
function stepsTo(asked: Quantity, language: Language): string[] {
  const way = [asked];
  for (let { left } = asked; left; { left } = left) way.push(left);
  const arrow = { en: ' < ', zh: '<' }[language];
  const names = way.map(({ name }) => name[language]).join(arrow);
  return [names, ...way.reverse().map((quantity) => step(quantity, language))];
}

/** `cups in the barn: 8`, and `pens in the hall: cups in the barn 8, eggs in the mill 5; 8+5: …; 13`. */
function step({ name, value, operator, left, right }: Quantity, language: Language): string {
  const mark = MARKS[language];
  const label = `${name[language]}${mark.colon}`;
  if (operator === undefined) return `${label}${value}`;
  const known = (quantity: Quantity) => `${quantity.name[language]}${mark.is}${quantity.value}`;
  const from = [left!, right!].filter((part) => typeof part !== 'number').map(known);
  const sum = workedSum(left!.value, operator, amountOf(right!));
  return `${label}${from.join(mark.comma)}${mark.semicolon}${sum}`;
}

const MARKS = {
  en: { colon: ': ', is: ' ', comma: ', ', semicolon: '; ' },
  zh: { colon: '：', is: '', comma: '，', semicolon: '；' },
} as const;

/**
 * Names that are not taken yet: things in a place, by number when the problem is so long that there
 * are more quantities than things and places.
 */
class FreeNames {
  readonly #random: Random;
  readonly #taken = new Set<string>();

  constructor(random: Random) {
    this.#random = random;
  }

  take(): Phrase {
    for (;;) {
      const [thing, place] = [this.#random.pick(THINGS), this.#random.pick(PLACES)];
      const number = this.#taken.size < 200 ? 0 : this.#random.int(2, 99);
      const name = `${thing.plural} in ${place.en}${number || ''}`;
      if (this.#taken.has(name)) continue;
      this.#taken.add(name);
      return number === 0
        ? { en: `${thing.plural} in the ${place.en}`, zh: `${place.zh}里的${thing.zh}` }
        : {
            en: `${thing.plural} in ${place.en} ${number}`,
            zh: `${number}号${place.zh}里的${thing.zh}`,
          };
    }
  }
}
