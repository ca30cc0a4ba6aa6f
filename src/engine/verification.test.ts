import { describe, expect, test } from 'vitest';
import { Random } from '../random.ts';
import { distribution, draw } from './sampling.ts';
import { verify } from './verification.ts';

/** Pearson's statistic; with `cells − 1` degrees of freedom it is rarely above the limit below. */
function chiSquare(counts: number[], expected: number[]): number {
  return counts.reduce((sum, count, i) => sum + (count - expected[i]!) ** 2 / expected[i]!, 0);
}

/** About the 99.9th percentile of chi-square with many degrees of freedom. */
function limit(degrees: number): number {
  return degrees + 3.1 * Math.sqrt(2 * degrees) + 7;
}

const softmax = (logits: number[]) =>
  distribution(Float32Array.from(logits), { temperature: 1, topK: 0, topP: 1 });

/**
 * A world of three tokens in which the model's distribution depends on the last token, and the draft's
 * is another one. Sequences of three tokens have known probabilities.
 */
const target = [softmax([2, 0, 1]), softmax([0, 1, 0]), softmax([-1, 0, 2])];
const draft = [softmax([0, 2, 0]), softmax([1, 1, 1]), softmax([2, 0, 0])];
const start = softmax([0.5, 0, 1]);
const draftStart = softmax([1, 1, 0]);

function probability([a, b, c]: number[]): number {
  return start[a!]! * target[a!]![b!]! * target[b!]![c!]!;
}

function sampleThree(random: Random, accept: typeof verify): number[] {
  const tokens: number[] = [];
  while (tokens.length < 3) {
    const last = tokens.at(-1);
    const q0 = last === undefined ? draftStart : draft[last]!;
    const p0 = last === undefined ? start : target[last]!;
    const first = draw(q0, random);
    const second = draw(draft[first]!, random);
    const drafts = [
      { token: first, distribution: q0 },
      { token: second, distribution: draft[first]! },
    ];
    tokens.push(...accept(drafts, [p0, target[first]!, target[second]!], random));
  }
  return tokens.slice(0, 3);
}

function statistic(accept: typeof verify): number {
  const random = new Random(11);
  const samples = 40_000;
  const counts = new Array<number>(27).fill(0);
  for (let i = 0; i < samples; i++) {
    const [a, b, c] = sampleThree(random, accept);
    counts[a! * 9 + b! * 3 + c!]!++;
  }
  const expected = counts.map(
    (_, i) => samples * probability([Math.floor(i / 9), Math.floor(i / 3) % 3, i % 3]),
  );
  return chiSquare(counts, expected);
}

describe('verify', () => {
  test('leaves the distribution of the model unchanged', () => {
    expect(statistic(verify)).toBeLessThan(limit(26));
  });

  test('the same statistic exposes a rule that accepts too readily', () => {
    const biased: typeof verify = (drafts, targets, random) =>
      verify(
        drafts,
        targets.map((p, i) => p.map((x, token) => (drafts[i]?.token === token ? x * 1.15 : x))),
        random,
      );
    expect(statistic(biased)).toBeGreaterThan(limit(26));
  });

  test('greedy: keeps the drafts that match and adds the right token', () => {
    const oneHot = (token: number) => Float64Array.from([0, 1, 2], (i) => (i === token ? 1 : 0));
    const drafts = [1, 2, 0].map((token) => ({ token, distribution: oneHot(token) }));
    const random = new Random(0);
    expect(verify(drafts, [1, 2, 1, 0].map(oneHot), random)).toEqual([1, 2, 1]);
    expect(verify(drafts, [1, 2, 0, 2].map(oneHot), random)).toEqual([1, 2, 0, 2]);
    expect(verify(drafts, [0, 2, 0, 2].map(oneHot), random)).toEqual([0]);
  });
});
