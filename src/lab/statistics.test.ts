import { describe, expect, test } from 'vitest';
import {
  compare,
  curveAt,
  explained,
  fitAcceptance,
  REPORTED_CURVE,
  spread,
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
