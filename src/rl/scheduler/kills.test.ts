/** A run that is killed at any moment goes on without losing or repeating a sequence. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { FakeClock } from '../../../test/rl/fake-clock.ts';
import { Disk, MemoryJournal } from '../../../test/rl/memory-journal.ts';
import {
  type Course,
  drawn,
  scheduledSource,
  schedulerOptions,
  simulatedPrompts,
  simulatedReward,
  simulatedRollout,
} from '../../../test/rl/simulation.ts';
import { SequenceScheduler } from './scheduler.ts';
import type { ScheduledBatch, SchedulerOptions, Sequence } from './types.ts';

const SOURCES = [
  scheduledSource({ name: 'sums', prompts: simulatedPrompts(3), quota: 2, priority: 1 }),
  scheduledSource({ name: 'code', domain: 'code', passRate: [0.1, 0.9] }),
];

/** What outlives a kill: the journal and the trainer's checkpoint. */
interface World {
  disk: Disk;
  trained: number;
  /** Batches as they were given, and how stale they were when given first. */
  given: Map<number, string>;
  consumed: Map<string, number>;
}

interface Plan {
  options: SchedulerOptions;
  inFlight: boolean;
  batches: number;
  commitEvery: number;
  trainingTime: number;
  spoiled: number;
}

test('batches are the same ones again after a kill, and no sequence comes twice', async () => {
  const plans = fc.record({
    kills: fc.array(fc.record({ writes: fc.integer({ min: 1, max: 60 }), loses: fc.boolean() }), {
      maxLength: 8,
    }),
    overlap: fc.boolean(),
    /** With overlap, whether the weights change while sampling goes on. */
    inFlight: fc.boolean(),
    requireSignal: fc.boolean(),
    maxStaleness: fc.integer({ min: 0, max: 3 }),
    maxCarriedShare: fc.constantFrom(0, 0.25, 0.5, 1),
    maxWaitSeconds: fc.constantFrom(0, 0.2, 5),
    groupsAhead: fc.integer({ min: 0, max: 3 }),
    groupSize: fc.integer({ min: 2, max: 3 }),
    concurrency: fc.integer({ min: 1, max: 8 }),
    rewardConcurrency: fc.integer({ min: 1, max: 3 }),
    commitEvery: fc.integer({ min: 1, max: 3 }),
    trainingTime: fc.constantFrom(0, 300),
    spoiled: fc.constantFrom(0, 0.2),
  });
  await fc.assert(
    fc.asyncProperty(
      plans,
      async ({ kills, inFlight, commitEvery, trainingTime, spoiled, ...given }) => {
        const options = schedulerOptions({
          ...given,
          ...{ maxFailures: 1, rolloutTimeoutSeconds: 3, rewardTimeoutSeconds: 1 },
          ...{ pauseTimeoutSeconds: 0.1, maxReplaced: 1000 },
        });
        const plan = { options, inFlight, batches: 5, commitEvery, trainingTime, spoiled };
        const world: World = {
          disk: new Disk(),
          trained: 0,
          given: new Map(),
          consumed: new Map(),
        };
        for (const writes of kills) await live(world, plan, writes);
        await live(world, plan, { writes: Infinity, loses: false });
        expect([...world.given.keys()].sort()).toEqual([1, 2, 3, 4, 5]);
        checkNothingIsLost(world);
      },
    ),
    { numRuns: 150 },
  );
});

/** After how many writes, and whether those that were not flushed are lost. */
interface Kill {
  writes: number;
  loses: boolean;
}

/** One process, from its start to its end or kill. */
async function live(world: World, plan: Plan, { writes, loses }: Kill): Promise<void> {
  const clock = new FakeClock();
  const journal = new MemoryJournal(world.disk, writes, loses);
  await clock.until(Promise.race([trainOn(world, plan, clock, journal), journal.killed]));
}

async function trainOn(
  world: World,
  { options, inFlight, batches, commitEvery, trainingTime, spoiled }: Plan,
  clock: FakeClock,
  journal: MemoryJournal,
): Promise<void> {
  let version = world.trained;
  const running = new Set<string>();
  const rollout = simulatedRollout(
    clock,
    (sequence) => courseOf(sequence, spoiled),
    () => version,
  );
  const scheduler = await SequenceScheduler.open({
    ...{ sources: SOURCES, options, journal, clock, trained: world.trained },
    async rollout(sequence, signal) {
      expect(running.has(sequence.id)).toBe(false);
      running.add(sequence.id);
      signal.addEventListener('abort', () => running.delete(sequence.id));
      expect(running.size).toBeLessThanOrEqual(options.concurrency);
      expect(sequence.seed).toBe(await seedOf(sequence));
      return rollout(sequence, signal).finally(() => running.delete(sequence.id));
    },
    reward: simulatedReward(clock, ({ id, attempt }) => {
      const draw = drawn(`${id} ${attempt} reward`);
      return draw < spoiled / 4 ? 5000 : 100 * draw;
    }),
  });
  while (version < batches) {
    const batch = await scheduler.next();
    expect(batch.number).toBe(version + 1);
    check(world, batch, version, options);
    await clock.sleep(trainingTime);
    if (options.overlap && !inFlight) await scheduler.pause();
    scheduler.advance(++version);
    if (batch.number % commitEvery !== 0) continue;
    world.trained = batch.number;
    await scheduler.commit(batch.number);
  }
  await scheduler.close();
}

/** One in ten takes long. */
function courseOf({ id, attempt }: Sequence, spoiled: number): Course {
  const draw = drawn(`${id} ${attempt} course`);
  const kinds = ['throws', 'hangs', 'malformed', 'late'] as const;
  const ends = draw < spoiled ? kinds[Math.floor((draw / spoiled) * 4)]! : 'well';
  const length = drawn(`${id} length`);
  return { duration: length < 0.1 ? 1500 : 20 + 100 * length, ends };
}

const seeds = new Map<string, number>();

/** The first seed that was seen for a sequence and attempt. */
async function seedOf({ id, attempt, seed }: Sequence): Promise<number> {
  const key = `${id} ${attempt}`;
  if (!seeds.has(key)) seeds.set(key, seed);
  return seeds.get(key)!;
}

function check(
  { given, consumed }: World,
  batch: ScheduledBatch,
  version: number,
  {
    groups,
    minGroupSize,
    groupSize,
    requireSignal,
    maxStaleness,
    maxCarriedShare,
  }: SchedulerOptions,
): void {
  const text = JSON.stringify(batch);
  const before = given.get(batch.number);
  given.set(batch.number, text);
  if (before !== undefined) {
    expect(text).toBe(before);
    return;
  }
  expect(batch.groups).toHaveLength(groups);
  let carried = 0;
  let size = 0;
  for (const { id, trajectories } of batch.groups) {
    expect(trajectories.length).toBeGreaterThanOrEqual(minGroupSize);
    expect(trajectories.length).toBeLessThanOrEqual(groupSize);
    if (requireSignal) expect(new Set(trajectories.map(({ reward }) => reward)).size).toBe(2);
    for (const trajectory of trajectories) {
      expect(trajectory.group).toBe(id);
      expect(consumed.has(trajectory.id)).toBe(false);
      consumed.set(trajectory.id, batch.number);
      const versions = trajectory.versions.filter((_, i) => trajectory.sampled[i] === 1);
      expect(version - Math.min(...versions)).toBeLessThanOrEqual(maxStaleness);
      if (new Set(versions).size > 1) carried++;
      size++;
    }
  }
  expect(carried).toBeLessThanOrEqual(maxCarriedShare * size);
}

/** Every group that was ever begun is in a batch, was replaced, or is still under way, once. */
function checkNothingIsLost({ disk }: World): void {
  const ended = new Set<string>();
  const end = (id: string) => {
    expect(ended.has(id)).toBe(false);
    ended.add(id);
  };
  const begun: string[] = [];
  for (const event of disk.written) {
    if (event.type === 'begun') begun.push(`${event.source}.${event.index}`);
    if (event.type === 'replaced') end(event.group);
    if (event.type === 'batch') event.groups.forEach(end);
  }
  expect(new Set(begun).size).toBe(begun.length);
  const kept = new Set(
    disk.lines.flatMap((line) => {
      const event = JSON.parse(line);
      if (event.type === 'kept') return [event.group.id];
      return event.type === 'begun' ? [`${event.source}.${event.index}`] : [];
    }),
  );
  for (const id of begun) expect(ended.has(id) || kept.has(id)).toBe(true);
}
