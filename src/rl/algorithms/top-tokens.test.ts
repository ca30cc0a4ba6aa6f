import { describe, expect, test } from 'vitest';
import { live, written } from '../../../test/rl/rollouts.ts';
import { mopd } from './mopd.ts';
import { reverseKlWeights } from './top-tokens.ts';

const teacher = [0.4, 0.3, 0.15, 0.1, 0.05];
const logits = [0.2, -0.4, 1.1, 0.3, -1];

function softmax(z: readonly number[]): number[] {
  const total = z.reduce((sum, x) => sum + Math.exp(x), 0);
  return z.map((x) => Math.exp(x) / total);
}

/** The divergence that is meant: k tokens, and the others as one. */
function divergence(z: readonly number[], k: number): number {
  const p = softmax(z);
  const rest = (all: readonly number[]) => all.slice(k).reduce((sum, x) => sum + x, 0);
  const terms = p.slice(0, k).map((x, v) => x * Math.log(x / teacher[v]!));
  const tail = rest(p) === 0 ? 0 : rest(p) * Math.log(rest(p) / rest(teacher));
  return terms.reduce((sum, x) => sum + x, tail);
}

const logsOf = (values: readonly number[], k: number) =>
  Float32Array.from(values.slice(0, k), Math.log);

describe.each([1, 2, 5])('reverse KL over %d of 5 tokens', (k) => {
  test('has the gradient of the divergence', () => {
    const p = softmax(logits);
    const c = reverseKlWeights(logsOf(p, k), logsOf(teacher, k));
    logits.forEach((_, i) => {
      const at = (step: number) => divergence(logits.with(i, logits[i]! + step), k);
      const difference = (at(1e-4) - at(-1e-4)) / 2e-4;
      // ∇ log p_v = onehot_v − p, and L = −Σ c_v·log p_v.
      const slope = c.reduce((sum, weight, v) => sum - weight * ((v === i ? 1 : 0) - p[i]!), 0);
      expect(slope).toBeCloseTo(difference, 5);
    });
  });

  test('is nothing where teacher and student agree', () => {
    const same = logsOf(teacher, k);
    expect(reverseKlWeights(same, same).every((weight) => weight === 0)).toBe(true);
  });
});

test('MOPD weighs the top tokens by it, and the drawn one by its outcome', () => {
  const p = softmax(logits);
  const of = (values: readonly number[]) => values.slice(0, 2).map(Math.log);
  const examples = [1, 0].map((reward) => ({
    trajectory: written([Math.log(p[2]!), Math.log(p[2]!)], { reward }),
    teacher: {
      logprobs: Float32Array.of(0, Math.log(0.15), Math.log(0.15)),
      top: {
        count: 2,
        tokens: Int32Array.of(-1, -1, 0, 1, 0, 1),
        logprobs: Float32Array.of(0, 0, ...of(teacher), ...of(teacher)),
      },
    },
  }));
  const step = mopd({ alpha: 0.5, topTokens: 2 }).begin(examples, 0);
  // The second token is outside the gate.
  const now = live([Math.log(p[2]!), Math.log(p[2]! / 4)], [0, 0, ...of(p), ...of(p)]);
  const { weights, top, sums } = step(0, now);
  expect([...weights]).toEqual([0, Math.fround(0.5 / 4), 0]);
  const c = reverseKlWeights(logsOf(p, 2), logsOf(teacher, 2));
  expect([...top]).toEqual([0, 0, c[0]! / 4, c[1]! / 4, 0, 0]);
  expect(sums.gatedLow).toBe(1);
  const fewer = examples.map(({ trajectory, teacher }) => ({
    trajectory,
    teacher: { ...teacher, top: null },
  }));
  expect(() => mopd({ alpha: 0, topTokens: 2 }).begin(fewer, 0)).toThrow(/told of 0 tokens/);
});
