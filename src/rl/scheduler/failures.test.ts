/** What goes wrong with a sequence is counted, tried again or dropped, and the run goes on. */
import { describe, expect, test } from 'vitest';
import { simulatedRun } from '../../../test/rl/simulated-run.ts';
import { SequenceFailure } from '../sequence-failure.ts';
import type { RolloutResult, Sequence } from './types.ts';

const SPOILED = 'sums.0.1';
const options = {
  ...{ groups: 4, groupSize: 3, minGroupSize: 2, retries: 2, rewardTimeoutSeconds: 1 },
  ...{ rolloutTimeoutSeconds: 5, maxFailures: 0.5, maxWaitSeconds: 0, groupsAhead: 0 },
};
type Whole = Extract<RolloutResult, { status: 'finished' }>;
const PASS = { value: 1, passed: true, reason: '' };

describe('a rollout that', () => {
  test.each([
    ['throws', 'rollout'],
    ['hangs', 'rollout-timeout'],
    ['malformed', 'malformed'],
  ] as const)('%s is tried again, and dropped in the end', async (ends, kind) => {
    const { next, sampled, scheduler } = await simulatedRun({
      options,
      courseOf: ({ id }) => ({ duration: 50, ends: id === SPOILED ? ends : 'well' }),
    });
    const { groups } = await next();
    const attempts = sampled.filter(({ id }) => id === SPOILED);
    expect(attempts.map(({ attempt }) => attempt)).toEqual([0, 1, 2]);
    expect(new Set(attempts.map(({ seed }) => seed)).size).toBe(3);
    expect(scheduler.figures()).toMatchObject({ failures: { [kind]: 3 }, dropped: 1 });
    const group = groups.find(({ id }) => id === 'sums.0')!;
    expect(group.trajectories.map(({ id }) => id)).toEqual(['sums.0.0', 'sums.0.2']);
  });

  test('gives something after a failure is as good as any', async () => {
    const { next, scheduler } = await simulatedRun({
      options,
      courseOf: ({ id, attempt }) => ({
        ...{ duration: 50, ends: id === SPOILED && attempt < 2 ? 'throws' : 'well' },
      }),
    });
    const { groups } = await next();
    expect(groups.map(({ trajectories }) => trajectories.length)).toEqual([3, 3, 3, 3]);
    expect(scheduler.figures()).toMatchObject({ failures: { rollout: 2 }, dropped: 0 });
  });

  test('does not stop when told to costs no more than the time to stop', async () => {
    const { next, clock, scheduler } = await simulatedRun({
      options: { ...options, groupsAhead: 1, rolloutTimeoutSeconds: 100, pauseTimeoutSeconds: 2 },
      courseOf: ({ id }) => ({ duration: 50, ends: id === SPOILED ? 'hangs' : 'well' }),
    });
    await next();
    expect(clock.now()).toBeLessThan(2200);
    expect(scheduler.figures().failures).toEqual({ 'rollout-timeout': 1 });
  });

  test('says itself what failed is counted as that', async () => {
    const { next, scheduler } = await simulatedRun({
      options,
      rollout: async () => {
        throw new SequenceFailure('tool-timeout', 'the shell did not answer');
      },
    });
    await expect(next()).rejects.toThrow(
      /^20 of the last 20 sequences failed, more than maxFailures \(0.5\) allows; so far 20 tool-timeout; the last was sums\.\d+\.\d: tool-timeout: the shell did not answer$/,
    );
    expect(scheduler.figures().failures).toEqual({ 'tool-timeout': 20 });
    await expect(next()).rejects.toThrow('sequences failed');
  });
});

describe('what a rollout gives is malformed where', () => {
  const wholeOf = ({ id, group, domain }: Sequence): Whole => ({
    status: 'finished',
    trajectory: {
      ...{ id, group, domain, reward: null, finish: 'stop', routes: null },
      tokens: Int32Array.of(1, 2, 3),
      sampled: Uint8Array.of(0, 1, 1),
      logprobs: Float32Array.of(0, -1, -1),
      versions: Int32Array.of(-1, 0, 0),
    },
    response: [{ role: 'assistant', content: 'x' }],
  });
  const changed = (change: Partial<Whole['trajectory']>) => (whole: Whole) => ({
    ...whole,
    trajectory: { ...whole.trajectory, ...change },
  });

  test.each<[string, (whole: Whole) => unknown]>([
    ['is neither finished nor paused', () => undefined],
    ['is neither finished nor paused', () => ({ status: 'done' })],
    ['is of another id: other', changed({ id: 'other' })],
    ['is of another domain: code', changed({ domain: 'code' })],
    ['is of another id: undefined', (whole) => ({ ...whole, trajectory: undefined })],
    ['lacks tokens', changed({ tokens: [1, 2, 3] as never })],
    ['has 3 tokens and 2 entries in "sampled"', changed({ sampled: Uint8Array.of(0, 1) })],
    ['has log-probability 1 at sampled token 1', changed({ logprobs: Float32Array.of(0, 1, -1) })],
    ['has log-probability NaN', changed({ logprobs: Float32Array.of(0, Number.NaN, -1) })],
    ['has version -1 at sampled token 2', changed({ versions: Int32Array.of(-1, 0, -1) })],
    ['has no sampled token', changed({ sampled: new Uint8Array(3) })],
    ['has no response', (whole) => ({ ...whole, response: [] })],
    [
      'has routes of 3 positions for 3 tokens',
      changed({ routes: { layers: 1, perToken: 2, experts: new Uint8Array(6) } }),
    ],
    [
      'paused without being told to',
      ({ trajectory }) => ({ status: 'paused', partial: { ...trajectory, state: null } }),
    ],
    ['left what is no JSON', (whole) => ({ ...whole, response: [{ role: 'user', n: 1n }] })],
  ])('it %s', async (message, change) => {
    const { next, scheduler } = await simulatedRun({
      options,
      rollout: async (sequence) => change(wholeOf(sequence)) as never,
      reward: async () => PASS,
    });
    await expect(next()).rejects.toThrow(`malformed: the rollout ${message}`);
    expect(scheduler.figures().failures).toEqual({ malformed: 20 });
  });

  test('the model that is trained cannot take it', async () => {
    const { next, scheduler } = await simulatedRun({
      options,
      rollout: async (sequence) => wholeOf(sequence),
      reward: async () => PASS,
      problemOf: ({ tokens }) => (tokens[2] === 3 ? 'token 2 is 3, of 3' : null),
    });
    await expect(next()).rejects.toThrow('malformed: the rollout token 2 is 3, of 3');
    expect(scheduler.figures().failures).toEqual({ malformed: 20 });
  });

  test('nothing is wrong, nothing is', async () => {
    const { next } = await simulatedRun({
      options,
      rollout: async (sequence) => wholeOf(sequence),
      reward: async () => PASS,
    });
    expect((await next()).groups).toHaveLength(4);
  });
});

describe('a reward program that', () => {
  test.each([
    ['throws', 'reward', () => Promise.reject(new Error('a bug'))],
    ['hangs', 'reward-timeout', () => new Promise<never>(() => {})],
    ['gives no number', 'reward', async () => ({ ...PASS, value: Number.NaN })],
    ['gives nothing', 'reward', async () => undefined as never],
    [
      'says itself what failed',
      'judge-nonsense',
      () => Promise.reject(new SequenceFailure('judge-nonsense', 'blah')),
    ],
  ] as const)('%s is run again, without sampling again', async (_, kind, spoil) => {
    const { next, sampled, scheduler } = await simulatedRun({
      options,
      reward: async ({ id }) => (id === SPOILED ? spoil() : PASS),
    });
    const { groups } = await next();
    expect(sampled.filter(({ id }) => id === SPOILED)).toHaveLength(1);
    expect(scheduler.figures()).toMatchObject({ failures: { [kind]: 3 }, dropped: 1 });
    expect(groups[0]!.trajectories).toHaveLength(2);
  });
});

test('a group with too few sequences left is replaced', async () => {
  const { next, scheduler } = await simulatedRun({
    options: { ...options, retries: 0 },
    courseOf: ({ id }) => ({ duration: 50, ends: /^sums\.0\.[01]$/.test(id) ? 'throws' : 'well' }),
  });
  const { groups } = await next();
  expect(groups.map(({ id }) => id)).toEqual(['sums.1', 'sums.2', 'sums.3', 'sums.4']);
  expect(scheduler.figures().sources.sums!.tooFew).toBe(1);
});

test('what a trainer cannot use counts as well', async () => {
  const { next, scheduler } = await simulatedRun({ options });
  const { groups } = await next();
  const dead = new SequenceFailure('teacher', 'the teacher of math does not answer');
  const report = () => {
    for (const { id } of groups.flatMap(({ trajectories }) => trajectories)) {
      scheduler.report(id, dead);
    }
  };
  report();
  expect(scheduler.figures()).toMatchObject({ failures: { teacher: 12 }, dropped: 12 });
  expect(report).toThrow(/13 of the last 25 sequences failed.*13 teacher.*does not answer/);
});

test('what a trainer cannot use is a share of its batch, though it is told of last', async () => {
  const { next, scheduler } = await simulatedRun({
    options: { groups: 50, groupSize: 4, requireSignal: false, concurrency: 64, maxFailures: 0.25 },
  });
  const { groups } = await next();
  const ids = groups.flatMap(({ trajectories }) => trajectories.map(({ id }) => id));
  const dead = new SequenceFailure('teacher', 'the teacher of math does not answer');
  const report = (id: string) => scheduler.report(id, dead);
  ids.slice(0, 50).forEach(report);
  expect(() => ids.slice(50).forEach(report)).toThrow(/^51 of the last 200 sequences failed/);
});

test('few attempts are no share of anything', async () => {
  const { next, scheduler } = await simulatedRun({
    options: { ...options, groups: 1, maxFailures: 0.01 },
    courseOf: ({ id, attempt }) => ({
      ...{ duration: 50, ends: id === SPOILED && attempt === 0 ? 'throws' : 'well' },
    }),
  });
  await next();
  expect(scheduler.figures().failures).toEqual({ rollout: 1 });
});
