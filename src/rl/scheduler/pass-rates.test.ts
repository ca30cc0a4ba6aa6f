import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Random } from '../../random.ts';
import { acceptanceProbability, count, keepProbability, type PassHistory } from './pass-rates.ts';

const history = (...passed: boolean[]): PassHistory =>
  passed.reduce<PassHistory>((before, pass) => count(before, pass), { passes: 0, attempts: 0 });
const repeated = (times: number, passed: boolean) => history(...Array(times).fill(passed));
const acceptance = (
  groupSize: number,
  passRate: [number, number] = [0, 1],
  requireSignal = true,
) => ({
  ...{ groupSize, passRate, requireSignal },
});

describe('the chance that a group is accepted', () => {
  test('of a prompt of which nothing is known, any number of passes is as likely as any other', () => {
    expect(acceptanceProbability(1, 1, acceptance(4))).toBeCloseTo(3 / 5);
    expect(acceptanceProbability(1, 1, acceptance(4, [0.5, 1]))).toBeCloseTo(2 / 5);
    expect(acceptanceProbability(1, 1, acceptance(4, [0.5, 1], false))).toBeCloseTo(3 / 5);
  });

  test('of two attempts is that of one pass and one failure', () => {
    // 2ab / ((a + b)(a + b + 1))
    expect(acceptanceProbability(3, 1, acceptance(2))).toBeCloseTo(6 / 20);
  });

  test('is 1 where every group will do', () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0.1, max: 50, noNaN: true }),
        fc.double({ min: 0.1, max: 50, noNaN: true }),
        fc.integer({ min: 1, max: 16 }),
        (a, b, n) => {
          expect(acceptanceProbability(a, b, acceptance(n, [0, 1], false))).toBeCloseTo(1);
        },
      ),
    );
  });

  test('is what drawing shows, where the pass rate is as good as known', () => {
    const random = new Random(1);
    const draws = 20_000;
    let accepted = 0;
    for (let i = 0; i < draws; i++) {
      const passes = Array.from({ length: 8 }, () => random.chance(0.8)).filter(Boolean).length;
      if (passes < 8 && passes >= 4) accepted++;
    }
    const chance = acceptanceProbability(8e6, 2e6, acceptance(8, [0.5, 1]));
    expect(Math.abs(accepted / draws - chance)).toBeLessThan(0.015);
  });
});

describe('the share of candidates to be taken', () => {
  test('is all where nothing is known, or groups are of one', () => {
    expect(keepProbability(undefined, undefined, acceptance(8))).toBe(1);
    expect(keepProbability(repeated(50, true), undefined, acceptance(1, [0, 1], false))).toBe(1);
  });

  test('falls with each pass of what always passes, and not below what is to be tried again', () => {
    const shares = [0, 5, 10, 20, 40].map((times) =>
      keepProbability(repeated(times, true), undefined, acceptance(4)),
    );
    expect(shares).toEqual([...shares].sort((a, b) => b - a));
    expect(shares[2]).toBeLessThan(0.5);
    expect(keepProbability(repeated(1000, true), undefined, acceptance(4, [0.4, 0.6]))).toBe(0.1);
  });

  test('is the same for what always fails as for what always passes', () => {
    const [always, never] = [true, false].map((passed) =>
      keepProbability(repeated(10, passed), undefined, acceptance(8)),
    );
    expect(always).toBeCloseTo(never!);
  });

  test('goes by the kind of a prompt that was never seen, and by its own history later', () => {
    const easy = repeated(30, true);
    const own = history(true, false, true, false, true, false, true, false);
    const unseen = keepProbability(easy, undefined, acceptance(4));
    expect(unseen).toBeLessThan(0.3);
    expect(keepProbability(easy, own, acceptance(4))).toBeGreaterThan(0.9);
    const stillEasy = keepProbability(easy, history(true), acceptance(4));
    expect(stillEasy).toBeLessThan(0.3);
  });

  test('forgets what was long ago', () => {
    const changed = Array.from({ length: 200 }, (_, i) => i < 100);
    const { passes, attempts } = history(...changed);
    expect(attempts).toBeCloseTo(50, -1);
    expect(passes / attempts).toBeLessThan(0.15);
  });
});
