/** What experiments compute from their measurements. */
import { meanOf } from '../series.ts';
import type { Finding } from './experiment.ts';

export interface Spread {
  mean: number;
  /** Standard error of the mean; NaN for a single value. */
  error: number;
  count: number;
}

export function spread(values: readonly number[]): Spread {
  const count = values.length;
  const mean = meanOf(values);
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean, error: Math.sqrt(squares / (count - 1) / count), count };
}

/** Standard normal deviation of 95 % on both sides. */
const normal = 1.96;

/** Between which a share lies, at 95 %. */
export interface Interval {
  low: number;
  high: number;
}

/** Wilson's score interval of the share that `right` of `count` are a sample of. */
export function wilson(right: number, count: number): Interval {
  const share = right / count;
  const extra = normal ** 2 / count;
  const middle = (share + extra / 2) / (1 + extra);
  const half =
    (normal / (1 + extra)) * Math.sqrt((share * (1 - share)) / count + extra / count / 4);
  return { low: Math.max(0, middle - half), high: Math.min(1, middle + half) };
}

/**
 * How much larger the share of the first is than that of the second where both answered the same problems:
 * the difference, and its interval (Agresti and Min 2005: half a problem is added to each of four cells).
 */
export function pairedDifference(
  first: readonly boolean[],
  second: readonly boolean[],
): Interval & { difference: number } {
  const count = first.length;
  if (second.length !== count) throw new Error(`${count} answers beside ${second.length}`);
  const only = (one: readonly boolean[], other: readonly boolean[]) =>
    one.filter((right, i) => right && !other[i]).length;
  const [gained, lost] = [only(first, second), only(second, first)];
  const middle = (gained - lost) / (count + 2);
  const half = (normal / (count + 2)) * Math.sqrt(gained + lost + 1 - (gained - lost) * middle);
  return { difference: (gained - lost) / count, low: middle - half, high: middle + half };
}

export type Comparison = 'higher' | 'lower' | 'no difference beyond the seeds';

/** Student's t, 95 % on both sides, from 1 degree of freedom. */
const student = [12.71, 4.3, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26, 2.23];

/** How `one` compares to `other`, by Student's test at 95 %; one seed alone tells nothing. */
export function compare(one: Spread, other: Spread): Comparison {
  const error = Math.hypot(one.error, other.error);
  return decide(one.mean - other.mean, error, one.count + other.count - 2);
}

/** The same of differences, where what is compared shares its seeds: whether they are above 0. */
export function compareToZero({ mean, error, count }: Spread): Comparison {
  return decide(mean, error, count - 1);
}

/** What a comparison says of the claim that it is so. */
export function verdictOf(found: Comparison, claimed: 'higher' | 'lower'): Finding['verdict'] {
  if (found === claimed) return 'holds';
  return found === 'higher' || found === 'lower' ? 'does not hold' : 'not decided';
}

function decide(difference: number, error: number, freedom: number): Comparison {
  const limit = student[freedom - 1] ?? student.at(-1)!;
  if (!(Math.abs(difference) > limit * error)) return 'no difference beyond the seeds';
  return difference > 0 ? 'higher' : 'lower';
}

/** y = most·(1 − a·x^b), the report's curve of acceptance length (figure 7). */
export interface AcceptanceCurve {
  most: number;
  a: number;
  b: number;
}

/** The report's own. */
export const REPORTED_CURVE: AcceptanceCurve = { most: 4, a: 0.58, b: 0.58 };

export function curveAt({ most, a, b }: AcceptanceCurve, x: number): number {
  return most * (1 - a * x ** b);
}

/** The curve with the least squared error; for each b the best a is known, so only b is searched. */
export function fitAcceptance(
  points: readonly (readonly [x: number, y: number])[],
  most: number,
): AcceptanceCurve {
  const curveOf = (b: number): AcceptanceCurve => {
    const missing = points.map(([x, y]) => [x ** b, 1 - y / most] as const);
    const above = missing.reduce((sum, [power, value]) => sum + power * value, 0);
    const below = missing.reduce((sum, [power]) => sum + power * power, 0);
    return { most, a: above / below, b };
  };
  const errorOf = (b: number) => squaredError(points, curveOf(b));
  let [low, high] = [0.01, 4];
  for (let i = 0; i < 100; i++) {
    const third = (high - low) / 3;
    if (errorOf(low + third) < errorOf(high - third)) high -= third;
    else low += third;
  }
  return curveOf((low + high) / 2);
}

/** R²: the share of the variance of y that the curve explains. */
export function explained(
  points: readonly (readonly [x: number, y: number])[],
  curve: AcceptanceCurve,
): number {
  const mean = meanOf(points.map(([, y]) => y));
  const variance = points.reduce((sum, [, y]) => sum + (y - mean) ** 2, 0);
  return 1 - squaredError(points, curve) / variance;
}

function squaredError(
  points: readonly (readonly [x: number, y: number])[],
  curve: AcceptanceCurve,
): number {
  return points.reduce((sum, [x, y]) => sum + (y - curveAt(curve, x)) ** 2, 0);
}
