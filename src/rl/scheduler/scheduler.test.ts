import { describe, expect, test } from 'vitest';
import { Disk } from '../../../test/rl/memory-journal.ts';
import { simulatedRun } from '../../../test/rl/simulated-run.ts';
import { scheduledSource, simulatedPrompts } from '../../../test/rl/simulation.ts';
import type { Sequence } from './types.ts';

const slowIs = (slow: string) => (sequence: Sequence) =>
  ({ duration: sequence.id === slow ? 10_000 : 50, ends: 'well' }) as const;

describe('a batch', () => {
  test('comes as soon as there are enough whole groups, without the slowest', async () => {
    const { next, clock } = await simulatedRun({
      options: { groups: 2, groupsAhead: 1, maxWaitSeconds: 0 },
      courseOf: slowIs('sums.0.1'),
    });
    const { number, groups } = await next();
    expect(number).toBe(1);
    expect(groups.map(({ id }) => id)).toEqual(['sums.1', 'sums.2']);
    expect(clock.now()).toBeLessThan(100);
  });

  test('has whole groups with rewards, and the prompts that they answer', async () => {
    const { next } = await simulatedRun({ options: { groups: 2, groupSize: 3 } });
    const { groups } = await next();
    for (const { trajectories, domain, prompt } of groups) {
      expect(trajectories).toHaveLength(3);
      expect(domain).toBe('math');
      expect(prompt.problem.family).toBe('simulated');
      for (const { reward } of trajectories) expect([0, 1]).toContain(reward);
    }
  });

  test('of the same seed is the same', async () => {
    const ids = async (seed: number) => {
      const { next, sampled } = await simulatedRun({ options: { seed } });
      await next();
      return sampled.map(({ id, seed }) => `${id} ${seed}`);
    };
    expect(await ids(1)).toEqual(await ids(1));
    expect(await ids(1)).not.toEqual(await ids(2));
  });
});

describe('what is carried over', () => {
  const options = { groups: 2, groupsAhead: 1, maxStaleness: 2, maxWaitSeconds: 0 };

  test('goes on from where it was, with the new weights', async () => {
    const { next, advance, sampled, scheduler } = await simulatedRun({
      options: { ...options, maxCarriedShare: 1 },
      courseOf: ({ id }) => ({ duration: id === 'sums.0.1' ? 110 : 50, ends: 'well' }),
    });
    await next();
    advance(1);
    const { groups } = await next();
    const slow = groups[0]!.trajectories.find(({ id }) => id === 'sums.0.1')!;
    expect(slow.sampled.reduce((sum, one) => sum + one, 0)).toBe(11);
    const versions = [...new Set(slow.versions)];
    expect(versions).toEqual([-1, 0, 1]);
    const resumed = sampled.filter(({ id }) => id === slow.id);
    expect(resumed).toHaveLength(2);
    expect(resumed[1]).toMatchObject({ attempt: 0, partial: { state: slow.id } });
    expect(resumed[1]!.seed).toBe(resumed[0]!.seed);
    expect(scheduler.figures().restarted).toBe(0);
  });

  test('waits for another batch where its share would be too large', async () => {
    const { next, advance } = await simulatedRun({
      options: { ...options, maxCarriedShare: 0, maxStaleness: 5 },
      courseOf: ({ id }) => ({ duration: id === 'sums.0.1' ? 110 : 50, ends: 'well' }),
    });
    for (let version = 1; version <= 3; version++) {
      const { groups } = await next();
      expect(groups.map(({ id }) => id)).not.toContain('sums.0');
      advance(version);
    }
  });

  test('is begun anew when it is too old, and dropped when that does not help', async () => {
    const { next, advance, scheduler, sampled } = await simulatedRun({
      options: { ...options, retries: 1 },
      courseOf: slowIs('sums.0.1'),
    });
    for (let version = 1; version <= 6; version++) {
      await next();
      advance(version);
    }
    const attempts = sampled.filter(({ id }) => id === 'sums.0.1').map(({ attempt }) => attempt);
    expect(new Set(attempts)).toEqual(new Set([0, 1]));
    const { restarted, dropped, failures } = scheduler.figures();
    expect(restarted).toBe(4);
    expect(dropped).toBe(1);
    expect(failures).toEqual({});
    const { groups } = await next();
    const group = groups.find(({ id }) => id === 'sums.0')!;
    expect(group.trajectories.map(({ id }) => id)).toEqual(['sums.0.0']);
    // It was begun anew with its neighbour, both times.
    expect(sampled.filter(({ id }) => id === 'sums.0.0')).toHaveLength(3);
  });

  test('is waited for, no longer than is said, before it is lost', async () => {
    const waited = async (maxWaitSeconds: number, duration: number) => {
      const { next, clock, scheduler } = await simulatedRun({
        options: { ...options, maxStaleness: 0, maxWaitSeconds },
        courseOf: ({ id }) => ({ duration: id === 'sums.0.1' ? duration : 50, ends: 'well' }),
      });
      const { groups } = await next();
      const { held } = scheduler.figures();
      return { ids: groups.map(({ id }) => id), at: clock.now(), held };
    };
    const { ids, at, held } = await waited(1, 300);
    // A batch without it was there by the time that the others had been sampled.
    expect(held).toBeGreaterThan(200);
    expect(held).toBeLessThan(300);
    expect(ids).toEqual(['sums.0', 'sums.1']);
    expect(at).toBe(310);
    const given = await waited(1, 30_000);
    expect(given.ids).toEqual(['sums.1', 'sums.2']);
    expect(given.at).toBeGreaterThanOrEqual(1050);
    expect(given.at).toBeLessThan(1100);
    expect(given.held).toBe(1000);
  });
});

test('rewards are computed while others are sampled, and hold sampling up when too many wait', async () => {
  let rewarding = 0;
  let most = 0;
  const run = await simulatedRun({
    options: { groups: 8, groupSize: 2, concurrency: 2, rewardConcurrency: 1 },
    reward: async ({ id }) => {
      most = Math.max(most, ++rewarding);
      await run.clock.sleep(200);
      rewarding--;
      return { value: Number(id.at(-1)), passed: true, reason: '' };
    },
  });
  const batch = run.scheduler.next();
  let waiting = 0;
  for (let i = 0; i < 100; i++) {
    await run.clock.pass(20);
    const { sequences } = run.scheduler.figures();
    waiting = Math.max(waiting, sequences.rewarding);
  }
  await run.clock.until(batch);
  expect(most).toBe(1);
  // Two may be sampled when the third begins to wait.
  expect(waiting).toBeGreaterThan(1);
  expect(waiting).toBeLessThanOrEqual(5);
});

describe('sampling', () => {
  test('stops while the trainer trains', async () => {
    const { next, clock, sampled, scheduler } = await simulatedRun({
      courseOf: slowIs('sums.2.0'),
    });
    await next();
    const { length } = sampled;
    expect(scheduler.figures().sequences.sampling).toBe(0);
    await clock.pass(1000);
    expect(sampled).toHaveLength(length);
  });

  test('goes on meanwhile with overlap, but for a pause', async () => {
    const { next, clock, scheduler, advance } = await simulatedRun({
      options: { overlap: true, groupsAhead: 4 },
      courseOf: () => ({ duration: 10_000, ends: 'well' }),
    });
    const first = scheduler.next();
    await clock.pass(100);
    expect(scheduler.figures().sequences.sampling).toBeGreaterThan(0);
    await clock.until(scheduler.pause());
    expect(scheduler.figures().sequences.sampling).toBe(0);
    advance(1);
    expect(scheduler.figures().sequences.sampling).toBeGreaterThan(0);
    await clock.until(first);
    expect((await next()).number).toBe(2);
  });
});

describe('opened again', () => {
  test('it gives the batches that no checkpoint has seen once more, and goes on', async () => {
    const disk = new Disk();
    const before = await simulatedRun({ disk });
    const first = await before.next();
    before.advance(1);
    const second = await before.next();
    await before.clock.until(before.scheduler.commit(1));
    await before.clock.until(before.scheduler.close());

    const after = await simulatedRun({ disk, trained: 1 });
    expect(await after.next()).toEqual(second);
    after.advance(2);
    const third = await after.next();
    expect(third.number).toBe(3);
    const ids = [first, second, third].flatMap(({ groups }) => groups.map(({ id }) => id));
    expect(new Set(ids).size).toBe(6);
  });

  test.each([
    [{ options: { seed: 2 } }, 'the journal is of a run with seed 1 and not 2'],
    [{ sources: [scheduledSource({ name: 'other' })] }, 'source sums is not what it was'],
    [{ sources: [scheduledSource({ prompts: simulatedPrompts(2) })] }, 'source sums is not what'],
    [
      { trained: 0 },
      'the checkpoint has seen 0 batches, but what was sampled is that of batches 1',
    ],
    [{ trained: 3 }, 'the checkpoint has seen 3 batches'],
  ])('with what is not its own it refuses: %j', async (changes, message) => {
    const disk = new Disk();
    const { next, clock, scheduler } = await simulatedRun({ disk });
    await next();
    await clock.until(scheduler.commit(1));
    await expect(simulatedRun({ disk, trained: 1, ...changes })).rejects.toThrow(message);
  });
});
