import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Random } from '../random.ts';
import { type Expression, evaluationSteps, resultOf, write } from './equations/expressions.ts';
import { equations } from './equations/index.ts';
import { readPolynomial, samePolynomial, writePolynomial } from './equations/polynomials.ts';
import { knowledge } from './knowledge/index.ts';
import { gsmGraph } from './long-context/gsm-graph.ts';
import { evaluate, type Operator, workedSum } from './sums.ts';
import { LANGUAGES, LEVELS } from './task.ts';
import { wordProblems } from './word-problems/index.ts';

/** Every `a+b=c` in a text, with a carry or borrow (`7+8+1=16`) or a rest (`9/4=2 r 1`). */
function sumsIn(text: string): { holds: boolean; text: string }[] {
  const pattern = /(?<![\d.*/+-])(\d+)([-+*/])(\d+)([-+]\d+)?=(\d+)(?: r (\d+))?(?![\d*/+-])/g;
  return [...text.matchAll(pattern)].map(([all, a, operator, b, more, result, rest]) => {
    const value =
      operator === '/' && rest !== undefined
        ? Math.floor(Number(a) / Number(b))
        : evaluate(Number(a), operator as Operator, Number(b)) + Number(more ?? 0);
    const restHolds = rest === undefined || Number(a) % Number(b) === Number(rest);
    return { holds: value === Number(result) && restHolds, text: all };
  });
}

describe('worked sums', () => {
  const operands = fc.tuple(
    fc.constantFrom<Operator>('+', '-', '*', '/'),
    fc.nat(9999),
    fc.integer({ min: 1, max: 999 }),
  );

  test('end with the result, and every step of them is true', () => {
    fc.assert(
      fc.property(operands, ([operator, a, b]) => {
        const [left, right] =
          operator === '-'
            ? [a + b, b]
            : operator === '/'
              ? [a * ((b % 12) + 1), (b % 12) + 1]
              : [a, b];
        const text = workedSum(left, operator, right);
        expect(text.startsWith(`${left}${operator}${right}`)).toBe(true);
        expect(Number(/\d+$/.exec(text)![0])).toBe(evaluate(left, operator, right));
        for (const { holds, text: step } of sumsIn(text)) expect(holds, step).toBe(true);
      }),
      { numRuns: 1000 },
    );
  });

  test('are written as shown', () => {
    expect(workedSum(47, '+', 58)).toBe('47+58: 7+8=15, 4+5+1=10; 105');
    expect(workedSum(83, '-', 47)).toBe('83-47: 13-7=6, 8-4-1=3; 36');
    expect(workedSum(46, '*', 7)).toBe('46*7: 6*7=42, 4*7+4=32; 322');
    expect(workedSum(92, '/', 4)).toBe('92/4: 9/4=2 r 1, 12/4=3 r 0; 23');
    expect(workedSum(7, '+', 8)).toBe('7+8=15');
    expect(workedSum(13, '-', 7)).toBe('13-7=6');
  });

  test.each([equations, wordProblems, gsmGraph, knowledge])('of $name are true', (family) => {
    const random = new Random('sums');
    let found = 0;
    for (const level of LEVELS) {
      for (const language of LANGUAGES) {
        for (let i = 0; i < 100; i++) {
          const { solution } = family.generate(random, { level, language, thinking: true });
          for (const { holds, text } of sumsIn(String(solution[0]!.reasoning_content ?? ''))) {
            expect(holds, text).toBe(true);
            found++;
          }
        }
      }
    }
    expect(found).toBeGreaterThan(100);
  });
});

describe('expressions', () => {
  const expression = fc.letrec<{ node: Expression }>((tie) => ({
    node: fc.oneof(
      { maxDepth: 3 },
      fc.nat(20),
      fc.record({
        left: tie('node'),
        operator: fc.constantFrom<Operator>('+', '-', '*'),
        right: tie('node'),
      }),
    ),
  })).node;

  test('are written so that JavaScript reads the same value from them', () => {
    fc.assert(
      fc.property(expression, (node) => {
        // The text is digits, operators and brackets.
        expect(new Function(`return ${write(node)}`)() + 0).toBe(resultOf(node) + 0);
      }),
    );
  });

  test('are worked to their value', () => {
    const node: Expression = {
      left: { left: 3, operator: '+', right: 4 },
      operator: '*',
      right: 5,
    };
    expect(write(node)).toBe('(3+4)*5');
    expect(evaluationSteps(node)).toEqual(['3+4=7 → 7*5', '7*5=35']);
  });
});

describe('terms', () => {
  const polynomial = fc.dictionary(
    fc.constantFrom('x', 'y', ''),
    fc.integer({ min: -20, max: 20 }).filter((value) => value !== 0),
    { minKeys: 1 },
  );

  test('are read as they are written', () => {
    fc.assert(
      fc.property(polynomial, polynomial, (one, other) => {
        const read = readPolynomial(writePolynomial(one))!;
        expect(samePolynomial(read, one)).toBe(true);
        const same = writePolynomial(one) === writePolynomial(other);
        expect(samePolynomial(read, other)).toBe(same);
      }),
    );
  });

  test('may stand in any order and with spaces, but each only once', () => {
    expect(readPolynomial('2 - 3*x + y')).toEqual({ '': 2, x: -3, y: 1 });
    for (const text of ['x+x', '2+3', '2(x+1)', '', 'x=2', '2x y', '+']) {
      expect(readPolynomial(text), text).toBeUndefined();
    }
  });
});
