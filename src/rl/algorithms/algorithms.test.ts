import { describe, expect, test } from 'vitest';
import { example, live, written } from '../../../test/rl/rollouts.ts';
import type { Algorithm, Example, LiveLogprobs, TokenWeights } from './algorithm.ts';
import { groupAdvantages, hasSignal } from './group-advantages.ts';
import { grpo } from './grpo.ts';
import { mopd } from './mopd.ts';
import { sft } from './sft.ts';

const log = Math.log;

/** What an algorithm makes of examples whose π_θ is given. */
function weigh(algorithm: Algorithm, examples: Example[], lives: LiveLogprobs[], version = 0) {
  const step = algorithm.begin(examples, version);
  return lives.map((one, index) => step(index, one));
}

function expectWeights(found: TokenWeights, wanted: readonly number[]) {
  expect(found.weights[0]).toBe(0);
  expect(found.weights.length).toBe(wanted.length + 1);
  wanted.forEach((weight, i) => {
    expect(found.weights[i + 1]).toBeCloseTo(weight, 6);
  });
}

describe('SFT', () => {
  test('is the mean over all tokens of assistants, or over responses', () => {
    const examples = [example(written([0, 0, 0])), example(written([0]))];
    const nothing = [live([0, 0, 0]), live([0])];
    const [long, short] = weigh(sft(), examples, nothing);
    expectWeights(long!, [1 / 4, 1 / 4, 1 / 4]);
    expectWeights(short!, [1 / 4]);
    const [a, b] = weigh(sft({ reduction: 'responses' }), examples, nothing);
    expectWeights(a!, [1 / 6, 1 / 6, 1 / 6]);
    expectWeights(b!, [1 / 2]);
  });
});

describe('group advantages', () => {
  const rewards = (values: readonly number[], group = 'a') =>
    values.map((reward) => example(written([-1], { group, reward })));

  test('are rewards relative to their own group', () => {
    const examples = [...rewards([1, 0, 0, 0]), ...rewards([5, 7], 'b')];
    const deviation = Math.sqrt(3) / 4;
    const found = groupAdvantages(examples);
    const wanted = [0.75, -0.25, -0.25, -0.25].map((x) => x / deviation).concat(-1, 1);
    found.forEach((advantage, i) => {
      expect(advantage).toBeCloseTo(wanted[i]!, 12);
    });
    expect(groupAdvantages(examples, { normalize: false })).toEqual([
      ...[0.75, -0.25, -0.25, -0.25],
      ...[-1, 1],
    ]);
  });

  test('are exactly 0 in a group without signal, whatever the mean rounds to', () => {
    // (0.1 + 0.1 + 0.1) / 3 is not 0.1.
    expect(groupAdvantages(rewards([0.1, 0.1, 0.1]))).toEqual([0, 0, 0]);
    expect(groupAdvantages(rewards([3]))).toEqual([0]);
    expect(hasSignal([0.1, 0.1, 0.1])).toBe(false);
    expect(hasSignal([0, 1])).toBe(true);
  });

  test('ask for a reward', () => {
    const missing = [example(written([-1], { id: 'x1', reward: null }))];
    expect(() => groupAdvantages(missing)).toThrow(/^trajectory x1: its reward is null; /);
  });
});

describe('GRPO', () => {
  const pair = (mu: readonly number[]) => [
    example(written(mu, { reward: 1 })),
    example(written(mu, { reward: 0 })),
  ];

  test('gives every token of a response its advantage, over |y| and over responses', () => {
    const mu = [-1, -2];
    const [good, bad] = weigh(grpo(), pair(mu), [live(mu), live(mu)]);
    expectWeights(good!, [1 / 4, 1 / 4]);
    expectWeights(bad!, [-1 / 4, -1 / 4]);
  });

  test('has other reductions', () => {
    const examples = [
      example(written([-1, -1, -1], { reward: 1 })),
      example(written([-1], { reward: 0 })),
    ];
    const same = [live([-1, -1, -1]), live([-1])];
    const [long, short] = weigh(grpo({ reduction: 'tokens' }), examples, same);
    expectWeights(long!, [1 / 4, 1 / 4, 1 / 4]);
    expectWeights(short!, [-1 / 4]);
    const [a, b] = weigh(grpo({ reduction: { length: 10 } }), examples, same);
    expectWeights(a!, [1 / 20, 1 / 20, 1 / 20]);
    expectWeights(b!, [-1 / 20]);
  });

  test('counts groups without signal, which weigh nothing', () => {
    const examples = [1, 1].map((reward) => example(written([-1, -1], { reward })));
    const found = weigh(grpo(), examples, [live([-1, -1]), live([-1, -1])]);
    for (const { weights, sums } of found) {
      expect(weights.every((weight) => weight === 0)).toBe(true);
      expect(sums).toEqual({ withoutSignal: 2 });
    }
  });

  test("can clip as PPO does, by the advantage's sign", () => {
    const mu = [0, 0, 0].map(() => log(0.4));
    // Ratios 1.5, 0.5 and 1.
    const now = live([0.6, 0.2, 0.4].map(log));
    const clip = grpo({ correction: { kind: 'clip', low: 0.2, high: 0.28 } });
    const [good, bad] = weigh(clip, pair(mu), [now, now]);
    expectWeights(good!, [0, 0.5 / 6, 1 / 6]);
    expectWeights(bad!, [-1.5 / 6, 0, -1 / 6]);
    expect(good!.sums).toEqual({ withoutSignal: 0, clippedHigh: 1 });
    expect(bad!.sums).toEqual({ withoutSignal: 0, clippedLow: 1 });
  });

  test('truncates the ratio by the version that drew each token', () => {
    const mu = [0, 0, 0, 0].map(() => log(0.2));
    const versions = [7, 6, 5, 2];
    const examples = [1, 0].map((reward) => example(written(mu, { reward }, versions)));
    // Ratio 3; the limits are 2, 1.5 and 1.25, and the last is too old.
    const now = live(mu.map(() => log(0.6)));
    const correction = { kind: 'truncate', limit: 2, decay: 0.5, maxStaleness: 4 } as const;
    const [good] = weigh(grpo({ correction }), examples, [now, now], 7);
    expectWeights(good!, [2 / 8, 1.5 / 8, 1.25 / 8, 0]);
    expect(good!.sums).toEqual({ withoutSignal: 0, truncated: 3, stale: 1 });
    // A small ratio is no reason to count more, nor less.
    const low = live(mu.map(() => log(0.02)));
    expectWeights(weigh(grpo({ correction }), examples, [low, low], 7)[0]!, [
      ...[0.1 / 8, 0.1 / 8, 0.1 / 8],
      0,
    ]);
  });
});

describe('MOPD', () => {
  test('weighs by equations 7 to 9', () => {
    const mu = [0.4, 0.25].map(log);
    const now = [0.5, 0.2].map(log);
    const teacher = [0.8, 0.1].map(log);
    const examples = [
      example(written(mu, { reward: 1 }), teacher),
      example(written(mu.slice(0, 1), { reward: 0 }), teacher.slice(0, 1)),
    ];
    const alpha = 0.3;
    const lives = [live(now), live(now.slice(0, 1))];
    const [first, second] = weigh(mopd({ alpha }), examples, lives);
    // Two responses, of two tokens and of one; ratios 1.25 and 0.8; outcome advantages 1 and −1.
    expectWeights(first!, [
      (1 / 4) * 1.25 * (log(0.8 / 0.5) + alpha),
      (1 / 4) * 0.8 * (log(0.1 / 0.2) + alpha),
    ]);
    expectWeights(second!, [(1 / 2) * 1.25 * (log(0.8 / 0.5) - alpha)]);
    expect(first!.sums.teacherGap).toBeCloseTo(-log(0.8 / 0.5) - log(0.1 / 0.2), 6);
  });

  test('drops what leaves the gate on either side, and does not clamp it', () => {
    const mu = [0.1, 0.1, 0.1, 0.1].map(log);
    // Ratios 0.4, 0.6, 4.9 and 5.1, with bounds 0.5 and 5.
    const now = [0.04, 0.06, 0.49, 0.51].map(log);
    const teacher = [0.9, 0.9, 0.9, 0.9].map(log);
    const examples = [example(written(mu), teacher)];
    const [found] = weigh(mopd({ alpha: 0 }), examples, [live(now)]);
    expectWeights(found!, [0, (0.6 * log(0.9 / 0.06)) / 4, (4.9 * log(0.9 / 0.49)) / 4, 0]);
    expect(found!.weights[1]).toBe(0);
    expect(found!.weights[4]).toBe(0);
    expect(found!.sums).toMatchObject({ gatedLow: 1, gatedHigh: 1 });
    const correction = { kind: 'gate', low: 0.2, high: 6 } as const;
    const [wider] = weigh(mopd({ alpha: 0, correction }), examples, [live(now)]);
    expectWeights(wider!, [
      (0.4 * log(0.9 / 0.04)) / 4,
      (0.6 * log(0.9 / 0.06)) / 4,
      (4.9 * log(0.9 / 0.49)) / 4,
      (5.1 * log(0.9 / 0.51)) / 4,
    ]);
  });

  test('can truncate instead, by the version that drew each token', () => {
    const mu = [0.2, 0.2, 0.2].map(log);
    // Ratio 3 of all; drawn 0, 1 and 3 versions ago.
    const now = [0.6, 0.6, 0.6].map(log);
    const examples = [example(written(mu, {}, [7, 6, 4]), [0.9, 0.9, 0.9].map(log))];
    const correction = { kind: 'truncate', limit: 2, decay: 0.5, maxStaleness: 2 } as const;
    const [found] = weigh(mopd({ alpha: 0, correction }), examples, [live(now)], 7);
    const gap = log(0.9 / 0.6);
    expectWeights(found!, [(2 * gap) / 3, (1.5 * gap) / 3, 0]);
    expect(found!.sums).toMatchObject({ truncated: 2, stale: 1 });
  });

  test('keeps tokens on the bounds of the gate', () => {
    const correction = { kind: 'gate', low: 0.5, high: 2 } as const;
    const examples = [example(written([-1, -1]), [0, 0])];
    const now = live([-1 + Math.fround(log(0.5)) + 1e-6, -1 + Math.fround(log(2)) - 1e-6]);
    const [found] = weigh(mopd({ alpha: 0, correction }), examples, [now]);
    expect(found!.weights.subarray(1).every((weight) => weight > 0)).toBe(true);
  });

  test('with α = 0 needs no reward, and rewards change nothing', () => {
    const teacher = [-0.5, -0.5];
    const weights = [null, 1].map((reward) => {
      const examples = [example(written([-1, -1], { reward }), teacher)];
      return weigh(mopd({ alpha: 0 }), examples, [live([-1, -1])])[0]!.weights;
    });
    expect(weights[0]).toEqual(weights[1]);
    expect(() => mopd({ alpha: 0.1 }).begin([example(written([-1]), [-1])], 0)).toThrow(/reward/);
  });

  test('has no weight at all where the teacher is the student', () => {
    const now = [-0.3, -1.7, -2.1];
    // Even if the sampler was not quite the student.
    const examples = [example(written([-0.35, -1.6, -2.2]), now)];
    const [found] = weigh(mopd({ alpha: 0 }), examples, [live(now)]);
    expect(found!.weights.every((weight) => weight === 0)).toBe(true);
    expect(found!.sums.teacherGap).toBeCloseTo(0, 12);
  });

  test("takes the gap from the trainer's π_θ and not from the sampler's μ_θ", () => {
    // The student has reached the teacher since it sampled: nothing is left to learn.
    const examples = [example(written([log(0.4)]), [log(0.5)])];
    const [found] = weigh(mopd({ alpha: 0 }), examples, [live([log(0.5)])]);
    expect(found!.weights.every((weight) => weight === 0)).toBe(true);
  });

  test('averages over sampled tokens alone where tools have answered between them', () => {
    const trajectory = written([-1, 0, 0, -1], {
      sampled: Uint8Array.of(0, 1, 0, 0, 1),
      versions: Int32Array.of(-1, 0, -1, -1, 0),
    });
    const examples = [example(trajectory, [-0.5, 0, 0, -0.5])];
    const [found] = weigh(mopd({ alpha: 0 }), examples, [live([-1, 0, 0, -1])]);
    expectWeights(found!, [0.5 / 2, 0, 0, 0.5 / 2]);
  });

  test('asks for the scores of a teacher', () => {
    const examples = [example(written([-1], { id: 'x2' }))];
    expect(() => mopd({ alpha: 0 }).begin(examples, 0)).toThrow(
      'trajectory x2: no teacher of "math" has scored it; drop it or score it',
    );
  });

  test('can limit gaps, and counts those', () => {
    const examples = [example(written([-1, -1]), [-31, -2])];
    const [found] = weigh(mopd({ alpha: 0, gapLimit: 20 }), examples, [live([-1, -1])]);
    expectWeights(found!, [-20 / 2, -1 / 2]);
    expect(found!.sums.gapLimited).toBe(1);
  });

  test('can bring the gaps of domains to one scale', () => {
    const mu = [-1, -1];
    // Gaps ±2 and ±1: deviations 2 and 1, and √2.5 over both.
    const examples = [
      example(written(mu, { domain: 'math' }), [1, -3]),
      example(written(mu, { domain: 'code' }), [0, -2]),
      example(written(mu, { domain: 'flat' }), [-1, -1]),
    ];
    const two = examples.slice(0, 2);
    const normalized = mopd({ alpha: 0, normalizeDomains: true });
    const [math, code] = weigh(normalized, two, [live(mu), live(mu)]);
    const all = Math.sqrt(2.5);
    expectWeights(math!, [(all / 2) * (2 / 4), (all / 2) * (-2 / 4)]);
    expectWeights(code!, [all * (1 / 4), all * (-1 / 4)]);
    // Nothing to amplify where teacher and student agree.
    const flat = weigh(normalized, examples, [live(mu), live(mu), live(mu)])[2]!;
    expect(flat.weights.every((weight) => weight === 0)).toBe(true);
    // No more than 4 times.
    const far = [
      example(written(mu, { domain: 'math' }), [99, -101]),
      example(written(mu, { domain: 'code' }), [0, -2]),
    ];
    const [, near] = weigh(normalized, far, [live(mu), live(mu)]);
    expectWeights(near!, [4 / 4, -4 / 4]);
  });
});
