/**
 * Sums as they are done on paper: one line of thinking per column, ones first, with carries and
 * borrows written as `±1`, so that each line needs only a small table and digits seen before.
 *
 *     47+58        83-47         7*46
 *     7+8=15       13-7=6        6*7=42
 *     4+5+1=10     8-4-1=3       4*7+4=32
 *     → 105        → 36          → 322
 *
 * The answer is the last line's result followed by the ones digits of the others, from the last
 * back. Without thinking the same lines are the answer, which ends with the result.
 */
import type { Random } from '../random.ts';
import { finalAnswer, type Language, type ProblemOptions, type TaskFamily } from './task.ts';

type Operator = '+' | '-' | '*';

interface Sum {
  left: number;
  operator: Operator;
  right: number;
}

/**
 * Difficulty 1: up to two digits and one digit. 2: two digits, or two digits times one. 3: up to
 * three digits, or two digits times one.
 */
export const arithmetic: TaskFamily = {
  name: 'arithmetic',
  description: 'addition, subtraction and multiplication of small numbers, column by column',
  generate(random, options) {
    const sum = chooseSum(random, options);
    const result = String(evaluate(sum));
    return {
      family: 'arithmetic',
      key: keyOf(sum),
      messages: [{ role: 'user', content: ask(random, sum, options.language) }],
      thinking: options.thinking,
      ...(options.thinking
        ? { reasoning: columns(sum).join('\n'), answer: result }
        : { answer: [...columns(sum), result].join('\n') }),
      verify: (response) => finalAnswer(response).split('\n').at(-1) === result,
    };
  },
};

function chooseSum(random: Random, { difficulty }: ProblemOptions): Sum {
  const { operator } = random.weighted<{ operator: Operator; weight: number }>([
    { operator: '+', weight: 4 },
    { operator: '-', weight: 3 },
    { operator: '*', weight: 3 },
  ]);
  if (operator === '*') {
    const oneDigit = difficulty === 1;
    const numbers = [oneDigit ? random.int(0, 9) : random.int(10, 99), random.int(0, 9)];
    const [left, right] = random.shuffle(numbers);
    return { left: left!, operator, right: right! };
  }
  const largest = difficulty === 3 ? 999 : 99;
  const smaller = difficulty === 1 ? 9 : largest;
  const [low, high] = [random.int(0, largest), random.int(0, smaller)].sort((a, b) => a - b);
  const [left, right] = operator === '-' ? [high!, low!] : random.shuffle([low!, high!]);
  return { left: left!, operator, right: right! };
}

function evaluate({ left, operator, right }: Sum): number {
  return operator === '+' ? left + right : operator === '-' ? left - right : left * right;
}

/** `a+b` and `b+a` are one problem; two single digits are a basic fact. */
function keyOf({ left, operator, right }: Sum): string | null {
  if (left <= 9 && right <= 9) return null;
  const [low, high] = [left, right].sort((a, b) => a - b);
  return `arithmetic ${high}${operator}${low}`;
}

/** The lines of thinking. */
function columns({ left, operator, right }: Sum): string[] {
  // The longer number goes on top; only a product can have it on the right.
  const [top, bottom] = operator === '-' || left >= right ? [left, right] : [right, left];
  const topDigits = digitsOf(top);
  const bottomDigits = digitsOf(bottom);
  let carry = 0;
  return topDigits.map((digit, column) => {
    const other = bottomDigits[operator === '*' ? 0 : column] ?? 0;
    if (operator === '-') {
      const borrow = digit - other - carry < 0 ? 1 : 0;
      const from = digit + 10 * borrow;
      const line = `${from}-${other}${carry ? '-1' : ''}=${from - other - carry}`;
      carry = borrow;
      return line;
    }
    const result = (operator === '+' ? digit + other : digit * other) + carry;
    const line = `${digit}${operator}${other}${carry ? `+${carry}` : ''}=${result}`;
    carry = Math.floor(result / 10);
    return line;
  });
}

/** Digits from the ones up. */
function digitsOf(value: number): number[] {
  return Array.from(String(value), Number).reverse();
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
