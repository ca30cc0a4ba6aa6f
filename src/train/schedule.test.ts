import { expect, test } from 'vitest';
import { cosineSchedule, warmupStableDecay } from './schedule.ts';

test('a cosine schedule warms up, then falls to its floor', () => {
  const rate = cosineSchedule({ peak: 1, floor: 0.1, warmupSteps: 4, steps: 24 });
  expect([0, 1, 3].map(rate)).toEqual([0.25, 0.5, 1]);
  expect(rate(13)).toBeCloseTo(0.55, 12);
  expect(rate(23)).toBeCloseTo(0.1, 12);
  expect(rate(100)).toBeCloseTo(0.1, 12);
});

test('warm-up, stable, decay', () => {
  const rate = warmupStableDecay({ peak: 1, floor: 0, warmupSteps: 2, decaySteps: 4, steps: 10 });
  expect([0, 1, 2, 5].map(rate)).toEqual([0.5, 1, 1, 1]);
  expect(rate(7)).toBeCloseTo(0.5, 12);
  expect(rate(9)).toBeCloseTo(0, 12);
});

test('without warm-up and decay the rate is constant', () => {
  const rate = warmupStableDecay({ peak: 1, floor: 0, warmupSteps: 0, decaySteps: 0, steps: 3 });
  expect([0, 1, 2].map(rate)).toEqual([1, 1, 1]);
});
