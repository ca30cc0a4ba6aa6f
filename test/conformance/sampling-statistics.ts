import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Random } from '../../src/random.ts';
import type { Device } from '../../src/tensor/device.ts';
import { readFloats, readInts, Scope } from '../../src/tensor/scope.ts';

/**
 * That what a device samples has the distribution it should: counted, over tens of thousands of draws
 * at once. The statistic is Pearson's chi-square, and a rule that is wrong by a little exceeds its limit.
 */
export function samplingStatistics(name: string, create: () => Promise<Device>): void {
  describe(`sampling of ${name}`, () => {
    let device: Device;
    beforeAll(async () => {
      device = await create();
    });
    afterAll(() => device.destroy());

    test('draws follow the probabilities', async () => {
      const samples = 20_000;
      const probabilities = [0, 0.1, 0.25, 0, 0.65];
      const rows = Array.from({ length: samples }, () => probabilities);
      const tokens = await drawEach(device, rows, new Random(1));
      const counts = countOf(tokens, 5);
      expect(counts[0]! + counts[3]!).toBe(0);
      expect(chiSquare(counts, probabilities)).toBeLessThan(limit(2));
    });

    test('top-p keeps the smallest set that reaches p, and the others their ratios', async () => {
      const logits = [0.5, 0.3, 0.2].map(Math.log);
      for (const [topP, kept] of [
        [0.01, 1],
        [0.49, 1],
        [0.51, 2],
        [0.79, 2],
        [0.81, 3],
        [1, 3],
      ] as const) {
        const p = await distributionOf(device, logits, [1, topP, 0, 0]);
        expect(p.filter((x) => x > 0)).toHaveLength(kept);
        expect(p.reduce((a, b) => a + b)).toBeCloseTo(1, 5);
        if (kept > 1) expect(p[0]! / p[1]!).toBeCloseTo(5 / 3, 4);
      }
    });

    test('settings work together, and padding is never drawn', async () => {
      const logits = [1, 3, 2, 0, 9];
      const kept = async (...settings: number[]) =>
        [...(await distributionOf(device, logits, settings, 4))].map((x) => Number(x > 0));
      expect(await kept(0, 1, 0, 0)).toEqual([0, 1, 0, 0, 0]);
      expect(await kept(1, 1, 0, 0)).toEqual([1, 1, 1, 1, 0]);
      expect(await kept(1, 1, 2, 0)).toEqual([0, 1, 1, 0, 0]);
      expect(await kept(1, 1, 3, 0.3)).toEqual([0, 1, 1, 0, 0]);
      expect(await kept(2, 1, 3, 0.3)).toEqual([1, 1, 1, 0, 0]);
      const half = await distributionOf(device, logits, [0.5, 1, 0, 0], 4);
      expect(Math.log(half[1]! / half[0]!)).toBeCloseTo(4, 4);
    });

    test('verified drafts leave the distribution of the model unchanged', async () => {
      expect(await verificationStatistic(device, (target) => target)).toBeLessThan(limit(26));
    });

    test('the same statistic exposes a rule that accepts too readily', async () => {
      const generous = (target: number[], drafted: number | undefined) =>
        target.map((p, token) => (token === drafted ? 1.15 * p : p));
      expect(await verificationStatistic(device, generous)).toBeGreaterThan(limit(26));
    });

    test('greedy: drafts that match are kept, and the right token is added', async () => {
      const oneHot = (token: number) => [0, 1, 2].map((i) => Number(i === token));
      const drafts = [1, 2, 0];
      const targets = [
        [1, 2, 1, 0],
        [1, 2, 0, 2],
        [0, 2, 0, 2],
      ];
      const given = await verifyEach(
        device,
        targets.map((tokens) => ({
          targets: tokens.map(oneHot),
          drafts: drafts.map((token) => ({ token, distribution: oneHot(token) })),
        })),
        new Random(0),
      );
      expect(given).toEqual([[1, 2, 1], [1, 2, 0, 2], [0]]);
    });
  });
}

/**
 * A world of three tokens in which the model's distribution depends on the last token, and the draft's
 * is another one. Sequences of three tokens have known probabilities.
 */
const target = [softmax([2, 0, 1]), softmax([0, 1, 0]), softmax([-1, 0, 2])];
const draft = [softmax([0, 2, 0]), softmax([1, 1, 1]), softmax([2, 0, 0])];
const start = softmax([0.5, 0, 1]);
const draftStart = softmax([1, 1, 0]);

/** Of 40,000 sequences of three tokens, each by speculative sampling with two drafts a round. */
async function verificationStatistic(
  device: Device,
  change: (target: number[], drafted: number | undefined) => number[],
): Promise<number> {
  const random = new Random(11);
  const all: number[][] = Array.from({ length: 40_000 }, () => []);
  for (;;) {
    const open = all.filter(({ length }) => length < 3);
    if (open.length === 0) break;
    const last = open.map((tokens) => tokens.at(-1));
    const q0 = last.map((token) => (token === undefined ? draftStart : draft[token]!));
    const first = await drawEach(device, q0, random);
    const q1 = Array.from(first, (token) => draft[token]!);
    const second = await drawEach(device, q1, random);
    const given = await verifyEach(
      device,
      last.map((token, s) => ({
        targets: [
          change(token === undefined ? start : target[token]!, first[s]),
          change(target[first[s]!]!, second[s]),
          target[second[s]!]!,
        ],
        drafts: [
          { token: first[s]!, distribution: q0[s]! },
          { token: second[s]!, distribution: q1[s]! },
        ],
      })),
      random,
    );
    given.forEach((tokens, s) => {
      open[s]!.push(...tokens);
    });
  }
  const places = all.map(([a, b, c]) => a! * 9 + b! * 3 + c!);
  const expected = Array.from({ length: 27 }, (_, i) => {
    const [a, b, c] = [Math.floor(i / 9), Math.floor(i / 3) % 3, i % 3] as const;
    return start[a]! * target[a]![b]! * target[b]![c]!;
  });
  return chiSquare(countOf(places, 27), expected);
}

function softmax(logits: number[]): number[] {
  const weights = logits.map(Math.exp);
  const total = weights.reduce((a, b) => a + b);
  return weights.map((weight) => weight / total);
}

function countOf(tokens: Iterable<number>, cells: number): number[] {
  const counts = new Array<number>(cells).fill(0);
  for (const token of tokens) counts[token]!++;
  return counts;
}

/** Σ (count − expected)²/expected over the cells that have a probability. */
function chiSquare(counts: number[], probabilities: number[]): number {
  const samples = counts.reduce((a, b) => a + b);
  return probabilities.reduce((sum, probability, i) => {
    const expected = samples * probability;
    return expected > 0 ? sum + (counts[i]! - expected) ** 2 / expected : sum;
  }, 0);
}

/** About the 99.9th percentile of chi-square, or a little more. */
function limit(degrees: number): number {
  return degrees + 3.1 * Math.sqrt(2 * degrees) + 7;
}

function uniforms(count: number, random: Random): Float32Array {
  return Float32Array.from({ length: count }, () => random.int(0, 2 ** 24 - 1) / 2 ** 24);
}

async function distributionOf(
  device: Device,
  logits: number[],
  settings: number[],
  vocabSize = logits.length,
): Promise<Float32Array> {
  const scope = new Scope(device);
  const row = scope.from([1, logits.length], Float32Array.from(logits));
  const chosen = scope.from([1, 4], Float32Array.from(settings));
  device.kernels.samplingDistribution({ logits: row, settings: chosen, vocabSize });
  const result = await readFloats(device, row);
  scope.close();
  return result;
}

/** A token from each row of probabilities. */
async function drawEach(device: Device, rows: number[][], random: Random): Promise<Int32Array> {
  const scope = new Scope(device);
  const count = rows.length;
  const out = scope.empty([count], 'i32');
  device.kernels.drawTokens({
    probabilities: scope.from([count, rows[0]!.length], Float32Array.from(rows.flat())),
    uniforms: scope.from([count], uniforms(count, random)),
    places: scope.from(
      [count, 1],
      Int32Array.from(rows, (_, i) => i),
    ),
    out,
  });
  const tokens = await readInts(device, out);
  scope.close();
  return tokens;
}

interface Verification {
  targets: number[][];
  drafts: { token: number; distribution: number[] }[];
}

/** The tokens that each verification gives; all have the same number of drafts. */
async function verifyEach(
  device: Device,
  all: Verification[],
  random: Random,
): Promise<number[][]> {
  const scope = new Scope(device);
  const count = all.length;
  const drafts = all[0]!.drafts.length;
  const width = all[0]!.targets[0]!.length;
  const targets = all.flatMap((one) => one.targets.flat());
  const distributions = Array.from({ length: drafts }, (_, d) =>
    all.flatMap((one) => one.drafts[d]!.distribution),
  ).flat();
  const tokens = all.flatMap((one) => [0, ...one.drafts.map(({ token }) => token)]);
  const out = scope.empty([count, drafts + 2], 'i32');
  device.kernels.verifyDrafts({
    targets: scope.from([count * (drafts + 1), width], Float32Array.from(targets)),
    drafts: scope.from([drafts * count, width], Float32Array.from(distributions)),
    tokens: scope.from([count * (drafts + 1)], Int32Array.from(tokens)),
    uniforms: scope.from([count, drafts + 1], uniforms(count * (drafts + 1), random)),
    out,
  });
  const result = await readInts(device, out);
  scope.close();
  return all.map((_, s) => {
    const [given = 0, ...rest] = result.subarray(s * (drafts + 2), (s + 1) * (drafts + 2));
    return rest.slice(0, given);
  });
}
