/** Numbers between bounds, digit by digit. */

import {
  characters,
  choice,
  type Expression,
  literal,
  optional,
  repeat,
  sequence,
} from './expression.ts';
import type { Schema } from './schema-reader.ts';

export interface Bounds {
  /** May be infinite. */
  low: number;
  high: number;
  /** Whether a bound itself is left out. */
  withoutLow: boolean;
  withoutHigh: boolean;
}

const largest = 10 ** 15 - 1;
const digits = (low: number, high: number) => characters([[0x30 + low, 0x30 + high]]);
const anyDigit = digits(0, 9);

/** Whole numbers, within bounds that need not be whole. Null if there is none. */
export function integerBetween(bounds: Bounds): Expression | null {
  const { low, high, withoutLow, withoutHigh } = rounded(bounds);
  return wholeBetween(withoutLow ? low + 1 : low, withoutHigh ? high - 1 : high);
}

/** The bounds that a schema gives. */
export function boundsOf({
  minimum,
  maximum,
  exclusiveMinimum,
  exclusiveMaximum,
}: Pick<Schema, 'minimum' | 'maximum' | 'exclusiveMinimum' | 'exclusiveMaximum'>): Bounds {
  const low = Math.max(
    minimum ?? Number.NEGATIVE_INFINITY,
    exclusiveMinimum ?? Number.NEGATIVE_INFINITY,
  );
  const high = Math.min(
    maximum ?? Number.POSITIVE_INFINITY,
    exclusiveMaximum ?? Number.POSITIVE_INFINITY,
  );
  // Numbers are written with fifteen digits before the point, so larger bounds bind nothing.
  return {
    low: low <= -1e15 ? Number.NEGATIVE_INFINITY : low,
    high: high >= 1e15 ? Number.POSITIVE_INFINITY : high,
    withoutLow: low === exclusiveMinimum,
    withoutHigh: high === exclusiveMaximum,
  };
}

/** Decimal numbers without exponents. Null if there is none. */
export function numberBetween(bounds: Bounds): Expression | null {
  const { low, high, withoutLow, withoutHigh } = bounds;
  const mirrored = { low: -high, high: -low, withoutLow: withoutHigh, withoutHigh: withoutLow };
  const positive = magnitudes({ ...bounds, ...(low < 0 && { low: 0, withoutLow: false }) });
  const negative = magnitudes({
    ...mirrored,
    ...(high > 0 && { low: 0, withoutLow: true }),
  });
  return oneOf([positive, negative && sequence(literal('-'), negative)]);
}

/** Of which no sign is written: those from 0 on. */
function magnitudes({ low, high, withoutLow, withoutHigh }: Bounds): Expression | null {
  if (high < low || (low === high && (withoutLow || withoutHigh))) return null;
  const zeros = optional(sequence(literal('.'), repeat(literal('0'), 1, 17)));
  const fraction = sequence(literal('.'), repeat(anyDigit, 1, 17));
  const moreThanZero = sequence(
    literal('.'),
    repeat(literal('0'), 0, 8),
    digits(1, 9),
    repeat(anyDigit, 0, 8),
  );
  const exactly = (value: number) => sequence(literal(String(value)), zeros);
  const between = wholeBetween(low + 1, high - 1);
  return oneOf([
    withoutLow ? null : exactly(low),
    low < high ? sequence(literal(String(low)), moreThanZero) : null,
    between && sequence(between, optional(fraction)),
    withoutHigh || low === high || high === Number.POSITIVE_INFINITY ? null : exactly(high),
  ]);
}

function wholeBetween(low: number, high: number): Expression | null {
  const [least, most] = [Math.max(low, -largest), Math.min(high, largest)];
  if (least > most) return null;
  const negative = least < 0 ? digitsBetween(Math.max(1, -most), -least) : null;
  const positive = most >= 0 ? digitsBetween(Math.max(0, least), most) : null;
  return oneOf([positive, negative && sequence(literal('-'), negative)]);
}

/** From 0 on, length by length. */
function digitsBetween(low: number, high: number): Expression {
  const options: Expression[] = [];
  for (let length = String(low).length; length <= String(high).length; length++) {
    const least = Math.max(low, length === 1 ? 0 : 10 ** (length - 1));
    const most = Math.min(high, 10 ** length - 1);
    options.push(ofOneLength(String(least), String(most)));
  }
  return choice(...options);
}

function ofOneLength(low: string, high: string): Expression {
  if (low === high) return literal(low);
  const rest = low.length - 1;
  const [first, last] = [Number(low[0]), Number(high[0])];
  if (rest > 0 && first === last) {
    return sequence(literal(low[0]!), ofOneLength(low.slice(1), high.slice(1)));
  }
  const [zeros, nines] = ['0'.repeat(rest), '9'.repeat(rest)];
  const options: Expression[] = [];
  // First digits that anything may follow are taken together.
  let [begin, end] = [first, last];
  if (low.slice(1) !== zeros) {
    options.push(sequence(literal(low[0]!), ofOneLength(low.slice(1), nines)));
    begin++;
  }
  if (high.slice(1) !== nines) {
    options.push(sequence(literal(high[0]!), ofOneLength(zeros, high.slice(1))));
    end--;
  }
  if (begin <= end) options.push(sequence(digits(begin, end), repeat(anyDigit, rest, rest)));
  return choice(...options);
}

function oneOf(options: readonly (Expression | null)[]): Expression | null {
  const present = options.filter((option) => option !== null);
  return present.length === 0 ? null : choice(...present);
}

/** The whole numbers within bounds that need not be whole. */
function rounded({ low, high, withoutLow, withoutHigh }: Bounds): Bounds {
  return {
    low: Math.ceil(low),
    high: Math.floor(high),
    withoutLow: withoutLow && Number.isInteger(low),
    withoutHigh: withoutHigh && Number.isInteger(high),
  };
}
