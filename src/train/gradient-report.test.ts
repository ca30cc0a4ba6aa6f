import { expect, test } from 'vitest';
import { deadExperts, type GradientPart, zerosByExpert, zerosByLayer } from './gradient-report.ts';

test('num-zeros are told of by layer and by expert', () => {
  const part = (name: string, zeros: number, more: Partial<GradientPart> = {}): GradientPart => ({
    ...{ name, zeros, size: 10, norm: 1 },
    ...more,
  });
  const parts = [
    part('embedding', 7),
    part('0.attention', 1, { layer: 0 }),
    part('1.attention', 2, { layer: 1 }),
    // The second expert has no gradient at all, the first in one of its matrices.
    part('1.up', 10, { layer: 1, expert: 0 }),
    part('1.up', 10, { layer: 1, expert: 1 }),
    part('1.down', 3, { layer: 1, expert: 0 }),
    part('1.down', 10, { layer: 1, expert: 1 }),
    part('2.up', 4, { layer: 2, expert: 0 }),
    part('2.up', 0, { layer: 2, expert: 1 }),
  ];
  const report = { norm: 1, zeros: 47, size: 90, parts };
  expect(zerosByLayer(report)).toEqual([
    { zeros: 1, size: 10 },
    { zeros: 35, size: 50 },
    { zeros: 4, size: 20 },
  ]);
  expect(zerosByExpert(report)).toEqual([
    [13, 20],
    [4, 0],
  ]);
  expect([...deadExperts(report)]).toEqual([
    [1, 1],
    [2, 0],
  ]);
});
