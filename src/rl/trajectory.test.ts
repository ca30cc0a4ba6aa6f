import { describe, expect, test } from 'vitest';
import { TrajectoryBuilder } from './trajectory.ts';

describe('log-probabilities of what was drawn', () => {
  test('may be a rounding above 0, and are then 0', () => {
    const builder = new TrajectoryBuilder(null);
    builder.appendSampled([1, 2, 3], [-0.5, 2e-4, 0], 7);
    expect([...builder.contents.logprobs]).toEqual([-0.5, 0, 0]);
    expect([...builder.contents.versions]).toEqual([7, 7, 7]);
  });

  test.each([0.01, Number.NaN, Number.NEGATIVE_INFINITY])('cannot be %s', (value) => {
    const builder = new TrajectoryBuilder(null);
    expect(() => builder.appendSampled([1], [value], 0)).toThrow(
      `a sampled token has log-probability ${value}`,
    );
  });
});
