/** Symbolic arithmetic and equations, worked line by line. */
import type { Random } from '../../random.ts';
import { answerOf, type Response } from '../response.ts';
import { solve } from '../solution.ts';
import type { Level, TaskFamily } from '../task.ts';
import { acceptsNumber, CORRECT, expected, lastLine, type Verdict, wrong } from '../verdict.ts';
import { type Polynomial, readPolynomial, samePolynomial, writePolynomial } from './polynomials.ts';
import {
  collectQuestion,
  divisorQuestion,
  expressionQuestion,
  linearQuestion,
  pairQuestion,
  type Question,
  sequenceQuestion,
  twoSidedQuestion,
} from './questions.ts';

/**
 * Easy: two operators, a·x+b=c, rows, four terms. Medium: three operators, x on both sides, pairs,
 * six terms. Hard: five operators, larger numbers, common divisors, eight terms.
 */
export const equations: TaskFamily = {
  name: 'equations',
  description:
    'expressions, equations with one and two unknowns, terms to collect, worked in lines',
  generate(random, { language, level, thinking }) {
    const { ask, steps, answer, key } = random.pick(KINDS[level])(random);
    const isNumber = typeof answer === 'number';
    return {
      family: 'equations',
      key: `equations ${key}`,
      messages: [{ role: 'user', content: random.pick(ask)[language] }],
      thinking,
      solution: solve(thinking, steps, isNumber ? String(answer) : writePolynomial(answer)),
      verify: isNumber ? acceptsNumber(answer) : acceptsPolynomial(answer),
    };
  },
};

const KINDS: Record<Level, readonly ((random: Random) => Question)[]> = {
  easy: [
    (random) => expressionQuestion(random, 2, 50),
    (random) => expressionQuestion(random, 2, 50),
    (random) => linearQuestion(random, 30),
    (random) => collectQuestion(random, 4),
    (random) => sequenceQuestion(random, 30),
  ],
  medium: [
    (random) => expressionQuestion(random, 3, 99),
    (random) => expressionQuestion(random, 4, 99),
    (random) => linearQuestion(random, 99),
    (random) => twoSidedQuestion(random, 50),
    (random) => pairQuestion(random, 50),
    (random) => collectQuestion(random, 6),
  ],
  hard: [
    (random) => expressionQuestion(random, 5, 500),
    (random) => expressionQuestion(random, 6, 500),
    (random) => twoSidedQuestion(random, 300),
    (random) => pairQuestion(random, 400),
    (random) => collectQuestion(random, 8),
    (random) => divisorQuestion(random, 200),
  ],
};

/** Accepts the collected terms in any order. */
function acceptsPolynomial(answer: Polynomial): (response: Response) => Promise<Verdict> {
  return async (response) => {
    const line = lastLine(answerOf(response));
    const read = readPolynomial(line);
    if (read === undefined) return wrong(`the last line is no sum of collected terms: ${line}`);
    return samePolynomial(read, answer) ? CORRECT : wrong(expected(writePolynomial(answer), line));
  };
}
