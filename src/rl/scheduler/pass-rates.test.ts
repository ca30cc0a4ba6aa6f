import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Random } from '../../random.ts';
import {
  acceptanceProbability,
  cellChance,
  count,
  keepProbability,
  type PassHistory,
  promptChance,
} from './pass-rates.ts';

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

describe('what is known of a kind of prompt', () => {
  const chance = (attempts?: PassHistory, groups?: PassHistory, of = acceptance(4)) =>
    cellChance({ attempts, groups }, of);

  test('is nothing at first, and everything will do where groups are of one', () => {
    expect(chance()).toBeCloseTo(acceptanceProbability(1, 1, acceptance(4)));
    expect(chance(repeated(50, true), undefined, acceptance(1, [0, 1], false))).toBeCloseTo(1);
  });

  test('falls with each pass of what always passes', () => {
    const chances = [0, 5, 10, 20, 40].map((times) => chance(repeated(times, true)));
    expect(chances).toEqual([...chances].sort((a, b) => b - a));
    expect(chances[2]).toBeLessThan(0.5 * chances[0]!);
  });

  test('is the same of what always fails as of what always passes', () => {
    const [always, never] = [true, false].map((passed) => chance(repeated(10, passed)));
    expect(always).toBeCloseTo(never!);
  });

  test('is what became of its groups, where half of the prompts always pass and half never', () => {
    const half = history(...Array.from({ length: 60 }, (_, i) => i % 8 < 4));
    expect(chance(half)).toBeGreaterThan(0.8);
    expect(chance(half, repeated(15, false))).toBeLessThan(0.15);
    expect(chance(half, repeated(15, true))).toBeGreaterThan(0.95);
  });

  test('gives way to what is known of a prompt itself', () => {
    const cell = { attempts: repeated(30, true), groups: repeated(4, false) };
    const own = history(true, false, true, false, true, false, true, false);
    expect(promptChance(cell, own, acceptance(4))).toBeGreaterThan(0.7);
    expect(promptChance(cell, history(true), acceptance(4))).toBeLessThan(0.3);
  });

  test('forgets what was long ago', () => {
    const changed = Array.from({ length: 200 }, (_, i) => i < 100);
    const { passes, attempts } = history(...changed);
    expect(attempts).toBeCloseTo(50, -1);
    expect(passes / attempts).toBeLessThan(0.15);
  });
});

test('candidates are taken by how their chance compares with the best, and none is given up', () => {
  expect(keepProbability(0.2, 0.2)).toBe(1);
  expect(keepProbability(0.8, 0.2)).toBe(1);
  expect(keepProbability(0.05, 0.2)).toBeCloseTo(0.25);
  expect(keepProbability(0.001, 0.2)).toBe(0.1);
});
