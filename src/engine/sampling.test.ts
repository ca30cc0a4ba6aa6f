import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Random } from '../random.ts';
import { distribution, draw, greedy } from './sampling.ts';

const logits = Float32Array.of(1, 3, 2, 0, 9);

describe('distribution', () => {
  test('temperature 0 takes the largest logit, padding left out', () => {
    expect([...distribution(logits, greedy, 4)]).toEqual([0, 1, 0, 0, 0]);
  });

  test('temperature divides the logits', () => {
    const p = distribution(logits, { temperature: 0.5, topK: 0, topP: 1 }, 4);
    expect(Math.log(p[1]! / p[0]!)).toBeCloseTo(4, 6);
    expect(p[4]).toBe(0);
  });

  test('top-k keeps the k most probable', () => {
    const p = distribution(logits, { temperature: 1, topK: 2, topP: 1 });
    expect([...p].map((x) => x > 0)).toEqual([false, true, false, false, true]);
  });

  test('top-p keeps the smallest set that reaches p', () => {
    const even = Float32Array.of(Math.log(0.5), Math.log(0.3), Math.log(0.2));
    const kept = (topP: number) =>
      [...distribution(even, { temperature: 1, topK: 0, topP })].filter((x) => x > 0).length;
    expect([0.01, 0.49, 0.51, 0.79, 0.81, 1].map(kept)).toEqual([1, 1, 2, 2, 3, 3]);
  });

  test('always sums to one and never picks padding', () => {
    fc.assert(
      fc.property(
        fc.array(fc.float({ min: -30, max: 30, noNaN: true }), { minLength: 1, maxLength: 40 }),
        fc.record({
          temperature: fc.double({ min: 0.05, max: 3, noNaN: true }),
          topK: fc.nat(50),
          topP: fc.double({ min: 0.01, max: 1, noNaN: true }),
        }),
        (values, options) => {
          const padded = Float32Array.from([...values, 100]);
          const p = distribution(padded, options, values.length);
          expect(p.reduce((a, b) => a + b, 0)).toBeCloseTo(1, 9);
          expect(p[values.length]).toBe(0);
        },
      ),
    );
  });
});

test('draw follows the weights', () => {
  const random = new Random(1);
  const weights = Float64Array.of(0, 1, 0, 3);
  const counts = [0, 0, 0, 0];
  for (let i = 0; i < 40_000; i++) counts[draw(weights, random)]!++;
  expect(counts[0]! + counts[2]!).toBe(0);
  expect(counts[3]! / 40_000).toBeCloseTo(0.75, 1.5);
});
