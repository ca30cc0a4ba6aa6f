/** The kinds of questions about expressions and equations, each with its working and its answer. */
import type { Random } from '../../random.ts';
import { workedSum } from '../sums.ts';
import type { Phrase } from '../words.ts';
import { evaluationSteps, randomExpression, resultOf, write } from './expressions.ts';
import { type Polynomial, writePolynomial, writeTerm } from './polynomials.ts';

export interface Question {
  ask: readonly Phrase[];
  steps: string[];
  answer: number | Polynomial;
  /** The numbers in it, which make it this question. */
  key: string;
}

export function expressionQuestion(random: Random, operators: number, largest: number): Question {
  const expression = randomExpression(random, operators, largest);
  const text = write(expression);
  return {
    ask: [
      both(text),
      both(`${text} = ?`),
      { en: `What is ${text}?`, zh: `${text}等于多少？` },
      { en: `Work out ${text}.`, zh: `计算${text}。` },
      { en: `Evaluate ${text}`, zh: `求${text}的值。` },
    ],
    steps: evaluationSteps(expression),
    answer: resultOf(expression),
    key: text,
  };
}

/** a·x + b = c. */
export function linearQuestion(random: Random, largest: number): Question {
  const a = random.int(2, 9);
  const x = random.int(1, Math.max(5, Math.floor(largest / 10)));
  const plus = random.chance(0.6) || a * x < 3;
  const b = plus ? random.int(1, largest) : random.int(1, a * x - 1);
  const c = plus ? a * x + b : a * x - b;
  const equation = `${a}x${plus ? '+' : '-'}${b}=${c}`;
  const product = plus ? workedSum(c, '-', b) : workedSum(c, '+', b);
  return {
    ask: solveFor('x', equation),
    steps: [product, `${a}x=${a * x}`, workedSum(a * x, '/', a), `x=${x}`],
    answer: x,
    key: equation,
  };
}

/** a·x + b = c·x + d, with a > c. */
export function twoSidedQuestion(random: Random, largest: number): Question {
  const c = random.int(1, 8);
  const a = c + random.int(1, 9);
  const x = random.int(1, Math.max(5, Math.floor(largest / 10)));
  const b = random.int(1, largest);
  const d = (a - c) * x + b;
  const equation = `${writePolynomial({ x: a, '': b })}=${writePolynomial({ x: c, '': d })}`;
  return {
    ask: solveFor('x', equation),
    steps: [
      workedSum(a, '-', c),
      workedSum(d, '-', b),
      `${writeTerm(a - c, 'x', true)}=${d - b}`,
      workedSum(d - b, '/', a - c),
      `x=${x}`,
    ],
    answer: x,
    key: equation,
  };
}

/** x + y = s and x − y = d. */
export function pairQuestion(random: Random, largest: number): Question {
  const y = random.int(1, largest);
  const x = y + random.int(1, largest);
  const [sum, difference] = [x + y, x - y];
  const wanted = random.pick(['x', 'y'] as const);
  const steps = [workedSum(sum, '+', difference), workedSum(2 * x, '/', 2), `x=${x}`];
  if (wanted === 'y') steps.push(workedSum(sum, '-', x), `y=${y}`);
  const equations = `x+y=${sum}, x-y=${difference}`;
  return {
    ask: [
      { en: `${equations}. What is ${wanted}?`, zh: `${equations}。${wanted}是多少？` },
      { en: `Find ${wanted} if ${equations}.`, zh: `已知${equations}，求${wanted}。` },
    ],
    steps,
    answer: wanted === 'x' ? x : y,
    key: `${wanted} ${equations}`,
  };
}

/** Terms to be collected; no coefficient of a partial sum is negative. */
export function collectQuestion(random: Random, terms: number): Question {
  const names = ['x', 'y', ''].slice(0, terms > 4 ? 3 : 2);
  const totals = new Map<string, number[]>();
  const parts: { name: string; coefficient: number }[] = [];
  while (parts.length < terms) {
    const name = random.pick(names);
    const before = totals.get(name) ?? [];
    const total = before.reduce((a, b) => a + b, 0);
    const minus = total > 1 && parts.length > 0 && random.chance(0.4);
    const coefficient = minus ? -random.int(1, total - 1) : random.int(1, 9);
    totals.set(name, [...before, coefficient]);
    parts.push({ name, coefficient });
  }
  const text = parts
    .map(({ name, coefficient }, i) => writeTerm(coefficient, name, i === 0))
    .join('');
  const answer: Record<string, number> = {};
  const steps: string[] = [];
  for (const [name, coefficients] of totals) {
    answer[name] = coefficients.reduce((total, coefficient) => {
      const sign = coefficient < 0 ? '-' : '+';
      steps.push(`${name || '1'}: ${workedSum(total, sign, Math.abs(coefficient))}`);
      return total + coefficient;
    });
  }
  return {
    ask: [
      { en: `Simplify ${text}`, zh: `化简${text}` },
      { en: `Collect the terms of ${text}.`, zh: `合并${text}的同类项。` },
    ],
    steps,
    answer,
    key: text,
  };
}

/** The next number of a row with equal distances. */
export function sequenceQuestion(random: Random, largest: number): Question {
  const [start, step] = [random.int(1, largest), random.int(2, 12)];
  const row = [0, 1, 2, 3].map((i) => start + i * step);
  const next = row[3]! + step;
  const text = row.join(', ');
  return {
    ask: [
      { en: `What comes next: ${text}?`, zh: `下一个数是什么：${text}？` },
      { en: `Continue the row ${text}`, zh: `续写数列：${text}` },
    ],
    steps: [workedSum(row[1]!, '-', row[0]!), workedSum(row[3]!, '+', step)],
    answer: next,
    key: text,
  };
}

/** The greatest common divisor, by Euclid's algorithm. */
export function divisorQuestion(random: Random, largest: number): Question {
  const shared = random.int(2, 12);
  const numbers = [0, 1].map(
    () => shared * random.int(2, Math.max(4, Math.floor(largest / shared))),
  );
  let [a, b] = [Math.max(...numbers), Math.min(...numbers)];
  const text = `${a}, ${b}`;
  const steps: string[] = [];
  while (b > 0) {
    const quotient = Math.floor(a / b);
    steps.push(`${a}=${quotient}*${b}+${a % b}`);
    [a, b] = [b, a % b];
  }
  return {
    ask: [
      { en: `Greatest common divisor of ${text}?`, zh: `${text}的最大公约数是多少？` },
      { en: `Find the greatest common divisor: ${text}`, zh: `求最大公约数：${text}` },
    ],
    steps,
    answer: a,
    key: text,
  };
}

function solveFor(name: string, equation: string): Phrase[] {
  return [
    { en: `Solve ${equation}`, zh: `解方程${equation}` },
    { en: `${equation}. What is ${name}?`, zh: `${equation}，${name}是多少？` },
    { en: `Find ${name}: ${equation}`, zh: `求${name}：${equation}` },
  ];
}

function both(text: string): Phrase {
  return { en: text, zh: text };
}
