import { SequenceScheduler } from '../../src/rl/scheduler/scheduler.ts';
import type {
  RewardFunction,
  Rollout,
  ScheduledBatch,
  ScheduledSource,
  Sequence,
} from '../../src/rl/scheduler/types.ts';
import type { Trajectory } from '../../src/rl/trajectory.ts';
import { FakeClock } from './fake-clock.ts';
import { Disk, MemoryJournal } from './memory-journal.ts';
import {
  type CourseOf,
  scheduledSource,
  schedulerOptions,
  simulatedReward,
  simulatedRollout,
} from './simulation.ts';

export interface SimulatedRunOptions {
  sources?: readonly ScheduledSource[];
  options?: Record<string, unknown>;
  courseOf?: CourseOf;
  rollout?: Rollout;
  reward?: RewardFunction;
  problemOf?: (trajectory: Trajectory) => string | null;
  disk?: Disk;
  trained?: number;
}

/** A scheduler over a simulated policy, whose time the test moves. */
export interface SimulatedRun {
  scheduler: SequenceScheduler;
  clock: FakeClock;
  /** All that were begun or resumed, with the time of it. */
  sampled: (Sequence & { at: number })[];
  /** The next batch, at whatever time it comes. */
  next(): Promise<ScheduledBatch>;
  advance(version: number): void;
}

export async function simulatedRun({
  sources = [scheduledSource()],
  options = {},
  courseOf = () => ({ duration: 50, ends: 'well' }),
  rollout,
  reward,
  problemOf = () => null,
  disk = new Disk(),
  trained = 0,
}: SimulatedRunOptions): Promise<SimulatedRun> {
  const clock = new FakeClock();
  let version = trained;
  const sampled: SimulatedRun['sampled'] = [];
  const sample = rollout ?? simulatedRollout(clock, courseOf, () => version);
  const scheduler = await SequenceScheduler.open({
    ...{ sources, clock, trained, problemOf, options: schedulerOptions(options) },
    journal: new MemoryJournal(disk),
    rollout(sequence, signal) {
      sampled.push({ ...sequence, at: clock.now() });
      return sample(sequence, signal);
    },
    reward: reward ?? simulatedReward(clock, () => 10),
  });
  return {
    ...{ scheduler, clock, sampled },
    next: () => clock.until(scheduler.next()),
    advance(next) {
      version = next;
      scheduler.advance(next);
    },
  };
}
