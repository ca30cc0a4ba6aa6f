/** Sums of terms in x and y: written, read, and collected. */

/** Coefficients by what they multiply: `x`, `y`, `xx` …; the empty text stands for the constant. */
export type Polynomial = Readonly<Record<string, number>>;

/** `3x-y+2`; the order is that of the letters, the constant last. */
export function writePolynomial(polynomial: Polynomial): string {
  const names = Object.keys(polynomial).filter((name) => polynomial[name] !== 0);
  names.sort((a, b) => (a === '' ? 1 : b === '' ? -1 : a < b ? -1 : 1));
  const text = names.map((name, i) => writeTerm(polynomial[name]!, name, i === 0)).join('');
  return text === '' ? '0' : text;
}

export function writeTerm(coefficient: number, name: string, isFirst = false): string {
  const sign = coefficient < 0 ? '-' : isFirst ? '' : '+';
  const size = Math.abs(coefficient);
  return `${sign}${size === 1 && name !== '' ? '' : size}${name}`;
}

/**
 * Reads what `writePolynomial` may have written, in any order of terms and with spaces.
 *
 * @returns undefined for anything else, and for a letter that comes twice: that is not collected
 */
export function readPolynomial(text: string): Polynomial | undefined {
  const compact = text.replaceAll(/\s|\*/g, '').replaceAll('−', '-');
  if (!/^[-+]?(\d+[a-z]?|[a-z])([-+](\d+[a-z]?|[a-z]))*$/.test(compact)) return undefined;
  const polynomial: Record<string, number> = {};
  for (const [, sign, digits, name] of compact.matchAll(/([-+]?)(\d*)([a-z]?)/g)) {
    if (digits === '' && name === '') continue;
    if (name! in polynomial) return undefined;
    polynomial[name!] = Number(digits === '' ? 1 : digits) * (sign === '-' ? -1 : 1);
  }
  return polynomial;
}

export function samePolynomial(a: Polynomial, b: Polynomial): boolean {
  const names = new Set([...Object.keys(a), ...Object.keys(b)]);
  return [...names].every((name) => (a[name] ?? 0) === (b[name] ?? 0));
}
