/** What fails in an evaluation is tried again and counted, as what fails in a step is. */
import { describe, expect, test } from 'vitest';
import { scheduledSource } from '../../../test/rl/simulation.ts';
import type { RewardFunction, Rollout } from '../scheduler/types.ts';
import { SequenceFailure } from '../sequence-failure.ts';
import { parsePolicyConfig } from './config.ts';
import { domainAccuracy } from './domain-accuracy.ts';

function configWith(schedule: object) {
  const json = {
    ...{ stage: 'teacher', output: 'out', model: { checkpoint: 'a' }, steps: 1 },
    ...{ sources: [{ domain: 'code', maxTokens: 9 }], maxLength: 64, microBatchTokens: 64 },
    learningRate: { peak: 1 },
    schedule: { groups: 1, groupSize: 2, retries: 1, ...schedule },
    evaluation: { every: 1, problems: 4 },
  };
  return parsePolicyConfig(json, '/run.json');
}

const rollout: Rollout = async ({ id, group, domain, seed }) => ({
  status: 'finished',
  trajectory: {
    ...{ id, group, domain, reward: null, finish: 'stop', routes: null },
    tokens: Int32Array.of(1, seed),
    sampled: Uint8Array.of(0, 1),
    logprobs: Float32Array.of(0, -1),
    versions: Int32Array.of(-1, 0),
  },
  response: [{ role: 'assistant', content: id }],
});
const right = { value: 1, passed: true, reason: '' };
const hanging = () => new Promise<never>(() => {});

/** An evaluation in which the second of four problems is spoiled, the first `times` times. */
async function evaluate(spoiled: Partial<{ rollout: Rollout; reward: RewardFunction }>, times = 9) {
  const attempts: string[] = [];
  const isSpoiled = ({ id, attempt }: { id: string; attempt: number }) =>
    id.endsWith(' 1') && attempt < times;
  const parts = {
    heldOut: [scheduledSource()],
    rollout: async (...[sequence, signal]: Parameters<Rollout>) => {
      attempts.push(`${sequence.id} ${sequence.attempt} ${sequence.seed}`);
      return (isSpoiled(sequence) && spoiled.rollout ? spoiled.rollout : rollout)(sequence, signal);
    },
    reward: async (...[sequence, response, signal]: Parameters<RewardFunction>) =>
      isSpoiled(sequence) && spoiled.reward ? spoiled.reward(sequence, response, signal) : right,
  };
  const run = (schedule: object = {}) =>
    domainAccuracy(
      parts,
      configWith({ rolloutTimeoutSeconds: 0.05, rewardTimeoutSeconds: 0.05, ...schedule }),
    );
  return { run, attempts };
}

describe('a problem whose', () => {
  const throwing = () => Promise.reject(new SequenceFailure('judge-nonsense', 'blah'));
  test.each([
    ['rollout throws', { rollout: throwing }, 'judge-nonsense: blah'],
    ['rollout hangs', { rollout: hanging }, 'rollout-timeout: it took too long'],
    ['reward throws', { reward: throwing }, 'judge-nonsense: blah'],
    ['reward hangs', { reward: hanging }, 'reward-timeout: it took too long'],
  ] as const)('%s is tried again, and counts as wrong in the end', async (_, spoiled, message) => {
    const { run, attempts } = await evaluate(spoiled);
    expect(await run()).toEqual({ scores: { sums: 0.75 }, failed: { sums: 1 } });
    const own = attempts.filter((attempt) => attempt.startsWith('evaluation sums 1 '));
    expect(own).toHaveLength(2);
    expect(new Set(own.map((attempt) => attempt.split(' ').at(-1))).size).toBe(2);
    await expect(run({ maxFailures: 0.2 })).rejects.toThrow(
      `1 of 4 problems of sums could not be evaluated, more than maxFailures (0.2) allows; the last was ${message}`,
    );
  });

  test('second attempt is well is as good as any', async () => {
    const { run } = await evaluate({ reward: throwing }, 1);
    expect(await run()).toEqual({ scores: { sums: 1 }, failed: {} });
  });
});
