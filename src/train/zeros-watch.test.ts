import { describe, expect, test } from 'vitest';
import { Random } from '../random.ts';
import { describeWarning, type ZerosWarning, ZerosWatch } from './zeros-watch.ts';

const options = { settle: 10, window: 30, change: 0.25, deviations: 4, starving: 0.05 };

/** What is warned of, where a step's share is `level(step)` with some noise. */
function watch(level: (step: number) => number, noise: number, steps = 600, seed = 1) {
  const watched = new ZerosWatch(options);
  const random = new Random(seed, 'noise');
  const warnings: ZerosWarning[] = [];
  for (let step = 1; step <= steps; step++) {
    const share = level(step) * (1 + noise * (2 * random.uniform() - 1));
    // The second layer has it all.
    const warning = watched.add({ step, share, layers: [0.01, 2 * share - 0.01], starved: 0 });
    if (warning) warnings.push(warning);
  }
  return warnings;
}

describe('num-zeros', () => {
  test.each([0, 0.05, 0.5, 1])('with noise of ±%d gives no false alarm', (noise) => {
    for (let seed = 0; seed < 20; seed++) expect(watch(() => 0.1, noise, 600, seed)).toEqual([]);
  });

  test('may settle first, and have single steps that are far off', () => {
    const level = (step: number) => (step <= 10 ? 0.6 : step % 20 === 0 ? 0.9 : 0.1);
    expect(watch(level, 0.1)).toEqual([]);
  });

  test('that rises is told once, with the layer', () => {
    const [warning, ...more] = watch((step) => 0.1 * (1 + step / 300), 0.1);
    expect(more).toEqual([]);
    expect(warning).toMatchObject({ kind: 'rising', layer: 1 });
    // It has risen by a quarter of what it was around step 25 at about step 106.
    expect(warning!.step).toBeGreaterThan(100);
    expect(warning!.step).toBeLessThan(160);
    expect(describeWarning(warning!)).toMatch(
      /^step \d+: num-zeros is rising, from 10\.\d % of the gradient to 1\d\.\d %, most in layer 1: experts starve/,
    );
  });

  test('that falls is told as well', () => {
    const [warning, ...more] = watch((step) => 0.1 * 0.998 ** step, 0.1);
    expect(more).toEqual([]);
    expect(warning).toMatchObject({ kind: 'falling', layer: 1 });
    expect(describeWarning(warning!)).toMatch(/is falling, .* overfit/);
  });

  test('that is back and rises again is told again', () => {
    const level = (step: number) => (step % 300 > 150 ? 0.2 : 0.1);
    expect(watch(level, 0.1).map(({ kind }) => kind)).toEqual(['rising', 'rising']);
  });

  test('of experts that starve from the first step on is told, once until they are fed', () => {
    const watched = new ZerosWatch(options);
    const starved = (step: number) => (step <= 200 || step > 300 ? [0.2, 0.01, 0.3][step % 3]! : 0);
    const told = Array.from({ length: 400 }, (_, i) =>
      watched.add({ step: i + 1, share: 0.2, layers: [0.2], starved: starved(i + 1) }),
    ).filter((warning) => warning !== null);
    expect(told).toMatchObject([
      { step: 40, kind: 'starving', starved: 0.2 },
      { kind: 'starving' },
    ]);
    expect(told[1]!.step).toBeGreaterThan(300);
    expect(describeWarning(told[0]!)).toMatch(/^step 40: 20\.0 % of the experts have no gradient/);
  });

  test('of a few elements is no level to leave', () => {
    expect(watch((step) => (step > 100 ? 2e-5 : 1e-6), 0)).toEqual([]);
    expect(watch((step) => (step > 100 ? 0.05 : 0), 0)).toHaveLength(1);
  });
});
