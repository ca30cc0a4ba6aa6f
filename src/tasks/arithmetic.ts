/**
 * Sums as they are done on paper: one line of thinking per column (see `sums.ts`), and then the
 * result. Without thinking the same lines are the answer, which ends with the result.
 */
import type { Random } from '../random.ts';
import { solve } from './solution.ts';
import { columns, evaluate } from './sums.ts';
import type { Language, ProblemOptions, TaskFamily } from './task.ts';
import { acceptsLastLine } from './verdict.ts';

type Operator = '+' | '-' | '*';

interface Sum {
  left: number;
  operator: Operator;
  right: number;
}

/**
 * Easy: up to two digits and one digit. Medium: two digits, or two digits times one. Hard: up to
 * three digits, or two digits times one.
 */
export const arithmetic: TaskFamily = {
  name: 'arithmetic',
  description: 'addition, subtraction and multiplication of small numbers, column by column',
  generate(random, options) {
    const sum = chooseSum(random, options);
    const { left, operator, right } = sum;
    const result = String(evaluate(left, operator, right));
    // The larger number goes on top; only a sum or a product can have it on the right.
    const [top, bottom] = operator === '-' || left >= right ? [left, right] : [right, left];
    return {
      family: 'arithmetic',
      key: keyOf(sum),
      messages: [{ role: 'user', content: ask(random, sum, options.language) }],
      thinking: options.thinking,
      solution: solve(options.thinking, columns(top, operator, bottom), result),
      verify: acceptsLastLine(result),
    };
  },
};

function chooseSum(random: Random, { level }: ProblemOptions): Sum {
  const { operator } = random.weighted<{ operator: Operator; weight: number }>([
    { operator: '+', weight: 4 },
    { operator: '-', weight: 3 },
    { operator: '*', weight: 3 },
  ]);
  if (operator === '*') {
    const oneDigit = level === 'easy';
    const numbers = [oneDigit ? random.int(0, 9) : random.int(10, 99), random.int(0, 9)];
    const [left, right] = random.shuffle(numbers);
    return { left: left!, operator, right: right! };
  }
  const largest = level === 'hard' ? 999 : 99;
  const smaller = level === 'easy' ? 9 : largest;
  const [low, high] = [random.int(0, largest), random.int(0, smaller)].sort((a, b) => a - b);
  const [left, right] = operator === '-' ? [high!, low!] : random.shuffle([low!, high!]);
  return { left: left!, operator, right: right! };
}

/** `a+b` and `b+a` are one problem; two single digits are a basic fact. */
function keyOf({ left, operator, right }: Sum): string | null {
  if (left <= 9 && right <= 9) return null;
  const [low, high] = [left, right].sort((a, b) => a - b);
  return `arithmetic ${high}${operator}${low}`;
}

const SIGNS: Record<Operator, readonly string[]> = {
  '+': ['+'],
  '-': ['-'],
  '*': ['*', '*', '×'],
};
const WORDS: Record<Language, Record<Operator, string>> = {
  en: { '+': ' plus ', '-': ' minus ', '*': ' times ' },
  zh: { '+': '加', '-': '减', '*': '乘' },
};
const QUESTIONS: Record<Language, readonly ((sum: string) => string)[]> = {
  en: [
    (sum) => `${sum}`,
    (sum) => `${sum} = ?`,
    (sum) => `${sum}=`,
    (sum) => `What is ${sum}?`,
    (sum) => `What's ${sum}?`,
    (sum) => `Calculate ${sum}.`,
    (sum) => `How much is ${sum}?`,
    (sum) => `Compute ${sum}`,
  ],
  zh: [
    (sum) => `${sum}`,
    (sum) => `${sum}=?`,
    (sum) => `${sum}等于多少？`,
    (sum) => `${sum}是多少？`,
    (sum) => `计算${sum}。`,
    (sum) => `请算一下${sum}`,
    (sum) => `${sum}等于几？`,
  ],
};

function ask(random: Random, { left, operator, right }: Sum, language: Language): string {
  const space = random.chance(0.3) ? ' ' : '';
  const sign = random.chance(0.2)
    ? WORDS[language][operator]
    : `${space}${random.pick(SIGNS[operator])}${space}`;
  return random.pick(QUESTIONS[language])(`${left}${sign}${right}`);
}
