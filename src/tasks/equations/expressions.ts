/** Expressions of whole numbers, evaluated one operator at a time. */
import type { Random } from '../../random.ts';
import { evaluate, type Operator, workedSum } from '../sums.ts';

/** A number, or two expressions with an operator between. */
export type Expression = number | { left: Expression; operator: Operator; right: Expression };

/** A random expression with `operators` operators; every value in it is whole and from 0 to `largest`. */
export function randomExpression(random: Random, operators: number, largest: number): Expression {
  for (;;) {
    const expression = grow(random, operators, largest);
    if (inRange(expression, largest)) return expression;
  }
}

function grow(random: Random, operators: number, largest: number): Expression {
  if (operators === 0) return random.int(1, Math.min(largest, random.chance(0.6) ? 9 : 40));
  const before = random.int(0, operators - 1);
  const operator = random.pick<Operator>(['+', '+', '-', '-', '*', '*', '/']);
  const left = grow(random, before, largest);
  const right = grow(random, operators - 1 - before, largest);
  return { left, operator, right };
}

export function resultOf(expression: Expression): number {
  if (typeof expression === 'number') return expression;
  return evaluate(resultOf(expression.left), expression.operator, resultOf(expression.right));
}

function inRange(expression: Expression, largest: number): boolean {
  if (typeof expression === 'number') return true;
  const { left, operator, right } = expression;
  if (!inRange(left, largest) || !inRange(right, largest)) return false;
  const [a, b, value] = [resultOf(left), resultOf(right), resultOf(expression)];
  // A product of two long numbers is no step but many.
  if (operator === '*' && Math.min(a, b) > 9) return false;
  if (operator === '/' && b > 9) return false;
  return Number.isInteger(value) && value >= 0 && value <= largest;
}

const PRECEDENCE: Record<Operator, number> = { '+': 1, '-': 1, '*': 2, '/': 2 };

/** As it is usually written, with no more brackets than it needs. */
export function write(expression: Expression, above = 0): string {
  if (typeof expression === 'number') return String(expression);
  const { left, operator, right } = expression;
  const own = PRECEDENCE[operator];
  const text = `${write(left, own)}${operator}${write(right, own + 1)}`;
  return own < above ? `(${text})` : text;
}

/**
 * The lines of working: in each the first operator that can be applied is, and the expression is
 * written again.
 */
export function evaluationSteps(expression: Expression): string[] {
  const steps: string[] = [];
  let current = expression;
  while (typeof current !== 'number') {
    const { next, sum } = reduce(current);
    steps.push(typeof next === 'number' ? sum : `${sum} → ${write(next)}`);
    current = next;
  }
  return steps;
}

function reduce(expression: Exclude<Expression, number>): { next: Expression; sum: string } {
  const { left, operator, right } = expression;
  if (typeof left !== 'number') {
    const { next, sum } = reduce(left);
    return { next: { left: next, operator, right }, sum };
  }
  if (typeof right !== 'number') {
    const { next, sum } = reduce(right);
    return { next: { left, operator, right: next }, sum };
  }
  return { next: evaluate(left, operator, right), sum: workedSum(left, operator, right) };
}
