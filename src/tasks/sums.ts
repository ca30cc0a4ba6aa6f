/**
 * Sums in steps that a very small model can take: each step needs a small table and digits in sight.
 *
 *     47+58: 7+8=15, 4+5+1=10; 105        83-47: 13-7=6, 8-4-1=3; 36
 *     46*7: 6*7=42, 4*7+4=32; 322         92/4: 9/4=2 r 1, 12/4=3 r 0; 23
 *
 * A column's line has its carry or borrow as `±1`. The result is the last line's, followed by the
 * ones digits of those before it, from the last back.
 */

export type Operator = '+' | '-' | '*' | '/';

export function evaluate(left: number, operator: Operator, right: number): number {
  switch (operator) {
    case '+':
      return left + right;
    case '-':
      return left - right;
    case '*':
      return left * right;
    case '/':
      return left / right;
  }
}

/**
 * The whole of a sum in one line.
 *
 * @param left not negative, whole; no less than `right` in a difference, a multiple of it in a quotient
 * @param right the same, and not 0 in a quotient
 */
export function workedSum(left: number, operator: Operator, right: number): string {
  const result = evaluate(left, operator, right);
  if (isFact(left, operator, right)) return `${left}${operator}${right}=${result}`;
  if (operator === '*' && Math.min(left, right) > 9) return longProduct(left, right);
  const [top, bottom] = longerFirst(left, right);
  const steps = operator === '/' ? longDivision(left, right) : columns(top, operator, bottom);
  return `${left}${operator}${right}: ${steps.join(', ')}; ${result}`;
}

/**
 * The steps of a sum, difference, or product with one digit: one a column, ones first.
 *
 * @param top has no fewer digits than `bottom`
 */
export function columns(top: number, operator: Exclude<Operator, '/'>, bottom: number): string[] {
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

function longerFirst(left: number, right: number): [top: number, bottom: number] {
  return String(right).length > String(left).length ? [right, left] : [left, right];
}

/** What is known by heart. */
function isFact(left: number, operator: Operator, right: number): boolean {
  switch (operator) {
    case '+':
    case '*':
      return (left <= 9 && right <= 9) || (operator === '*' && Math.min(left, right) <= 1);
    case '-':
      return right <= 9 && left <= 18 && left - right <= 9;
    case '/':
      return right === 1 || (right <= 9 && left / right <= 9);
  }
}

/** By the digits of the second number, and the shifted parts added up. */
function longProduct(left: number, right: number): string {
  const [top, bottom] = longerFirst(left, right);
  const lines: string[] = [];
  let total = 0;
  digitsOf(bottom).forEach((digit, place) => {
    if (digit === 0) return;
    lines.push(workedSum(top, '*', digit));
    const part = top * digit * 10 ** place;
    if (total > 0) lines.push(workedSum(total, '+', part));
    total += part;
  });
  return `${left}*${right}: ${lines.join('. ')}. ${total}`;
}

/** Digit by digit, beginning with the first digits that hold the divisor. */
function longDivision(left: number, right: number): string[] {
  const steps: string[] = [];
  let rest = 0;
  for (const digit of digitsOf(left).reverse()) {
    const from = rest * 10 + digit;
    rest = from % right;
    if (steps.length > 0 || from >= right) {
      steps.push(`${from}/${right}=${Math.floor(from / right)} r ${rest}`);
    }
  }
  return steps;
}

/** Digits from the ones up. */
function digitsOf(value: number): number[] {
  return Array.from(String(value), Number).reverse();
}
