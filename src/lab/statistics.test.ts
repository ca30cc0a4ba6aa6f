import { describe, expect, test } from 'vitest';
import {
  compare,
  compareToZero,
  curveAt,
  explained,
  fitAcceptance,
  pairedDifference,
  REPORTED_CURVE,
  spread,
  wilson,
} from './statistics.ts';

test('a spread has the error of its mean', () => {
  expect(spread([1, 2, 3])).toEqual({ mean: 2, error: Math.sqrt(1 / 3), count: 3 });
  expect(spread([5]).error).toBeNaN();
});

test('a difference is one only if it is beyond the seeds', () => {
  expect(compare(spread([1, 1.1, 0.9]), spread([2, 2.1, 1.9]))).toBe('lower');
  expect(compare(spread([2, 2.1, 1.9]), spread([1, 1.1, 0.9]))).toBe('higher');
  expect(compare(spread([1, 2, 3]), spread([1.5, 2.5, 3.5]))).toMatch(/no difference/);
  expect(compare(spread([1]), spread([5]))).toMatch(/no difference/);
});

test('a share has the interval of Wilson, also where all or none are right', () => {
  const { low, high } = wilson(81, 263);
  expect(low).toBeCloseTo(0.2553, 4);
  expect(high).toBeCloseTo(0.3662, 4);
  expect(wilson(0, 20).low).toBe(0);
  expect(wilson(0, 20).high).toBeCloseTo(0.1611, 4);
  expect(wilson(20, 20).low).toBeCloseTo(0.8389, 4);
  expect(wilson(20, 20).high).toBeCloseTo(1, 12);
});

test('a difference on the same problems is surer than two shares apart', () => {
  const answers = (right: (i: number) => boolean) =>
    Array.from({ length: 200 }, (_, i) => right(i));
  const before = answers((i) => i < 150);
  // All that was right still is, and ten more.
  const after = answers((i) => i < 160);
  const { difference, low, high } = pairedDifference(after, before);
  expect(difference).toBeCloseTo(0.05);
  expect(low).toBeGreaterThan(0);
  expect(wilson(160, 200).low).toBeLessThan(wilson(150, 200).high);
  // (10 ± 1.96·√(10 + 1 − 100/202))/202, by hand.
  expect([low, high].map((value) => Number(value.toFixed(4)))).toEqual([0.0181, 0.081]);
  expect(pairedDifference(before, after)).toMatchObject({ difference: -0.05, high: -low });
  expect(() => pairedDifference(before, [true])).toThrow('200 answers beside 1');
});

test('differences within seeds are surer than seeds apart', () => {
  const [one, other] = [
    [0.5, 0.6, 0.7],
    [0.45, 0.56, 0.66],
  ] as const;
  expect(compare(spread(one), spread(other))).toMatch(/no difference/);
  const differences = one.map((value, i) => value - other[i]!);
  // 0.0433 ± 0.0033, and 4.30 of that is 0.0143.
  expect(compareToZero(spread(differences))).toBe('higher');
  expect(compareToZero(spread(differences.map((value) => -value)))).toBe('lower');
  expect(compareToZero(spread([0.04, 0.001, 0.09]))).toMatch(/no difference/);
  expect(compareToZero(spread([1]))).toMatch(/no difference/);
});

describe('the curve of acceptance', () => {
  const entropies = [0.02, 0.05, 0.1, 0.2, 0.3, 0.6];

  test('is found again from points on it', () => {
    const truth = { most: 4, a: 0.7, b: 0.45 };
    const points = entropies.map((x) => [x, curveAt(truth, x)] as const);
    const curve = fitAcceptance(points, 4);
    expect(curve.a).toBeCloseTo(0.7, 6);
    expect(curve.b).toBeCloseTo(0.45, 6);
    expect(explained(points, curve)).toBeCloseTo(1, 9);
  });

  test('of the report is near the points of its figure', () => {
    // Read off figure 7: WebDev, AIME25, SciCode, LiveCodeBench, GPQA, MMLU-Pro.
    const points = [
      [0.046, 3.62],
      [0.14, 3.27],
      [0.16, 3.235],
      [0.167, 3.175],
      [0.231, 2.985],
      [0.271, 2.95],
    ] as const;
    expect(explained(points, REPORTED_CURVE)).toBeGreaterThan(0.98);
    const curve = fitAcceptance(points, 4);
    expect(curve.a).toBeCloseTo(0.58, 1);
    expect(curve.b).toBeCloseTo(0.58, 1);
    expect(explained(points, curve)).toBeGreaterThan(explained(points, REPORTED_CURVE));
  });
});
