/** A policy, a trainer and rewards that take time, fail and hang, all by a fake clock. */
import { hashText, Random } from '../../src/random.ts';
import type { Clock } from '../../src/rl/clock.ts';
import { STOPPED } from '../../src/rl/scheduler/attempt.ts';
import { schedulerSchema } from '../../src/rl/scheduler/options.ts';
import type {
  PartialRollout,
  PromptSource,
  Reward,
  RolloutResult,
  ScheduledSource,
  SchedulerOptions,
  Sequence,
} from '../../src/rl/scheduler/types.ts';
import { type Trajectory, TrajectoryBuilder } from '../../src/rl/trajectory.ts';
import type { Problem } from '../../src/tasks/index.ts';

export const PROBLEM: Problem = {
  family: 'simulated',
  key: null,
  messages: [{ role: 'user', content: '?' }],
  thinking: false,
  solution: [],
  verify: async () => ({ correct: true, reason: 'correct' }),
};

export function scheduledSource(given: Partial<ScheduledSource> = {}): ScheduledSource {
  return {
    ...{ name: 'sums', domain: 'math', prompts: simulatedPrompts(), quota: 1, priority: 0 },
    ...{ maxTokens: 100, temperature: 1, passRate: [0, 1] },
    ...given,
  };
}

export function simulatedPrompts(cells = 1): PromptSource {
  return {
    fingerprint: `simulated ${cells}`,
    prompt: async (index) => ({
      ...{ problem: PROBLEM, cell: `cell ${index % cells}`, key: null, rubric: null },
    }),
  };
}

export function schedulerOptions(given: Record<string, unknown> = {}): SchedulerOptions {
  return schedulerSchema.parse({ groups: 2, groupSize: 2, requireSignal: false, ...given });
}

/** How a sequence is sampled. */
export interface Course {
  /** Of sampling, in milliseconds; a token takes ten. */
  duration: number;
  /** `late` pays no heed to being stopped. */
  ends: 'well' | 'throws' | 'hangs' | 'malformed' | 'late';
}

export type CourseOf = (sequence: Sequence) => Course;

const TOKEN_TIME = 10;

/** Samples as `courseOf` says; `version` is that of the weights now. */
export function simulatedRollout(clock: Clock, courseOf: CourseOf, version: () => number) {
  return (sequence: Sequence, signal: AbortSignal): Promise<RolloutResult> => {
    const { duration, ends } = courseOf(sequence);
    const builder = builderOf(sequence);
    return new Promise((resolve, reject) => {
      let cancel = () => {};
      const step = () => {
        if (builder.sampledCount * TOKEN_TIME >= duration) return finish();
        cancel = clock.after(TOKEN_TIME, () => {
          builder.appendSampled([builder.sampledCount], [-0.5], version());
          step();
        });
      };
      const finish = () => {
        if (ends === 'hangs') return;
        if (ends === 'throws') reject(new Error('the engine coughed'));
        else resolve(finished(sequence, builder, ends));
      };
      signal.addEventListener('abort', () => {
        if (ends === 'hangs' || ends === 'late') return;
        cancel();
        if (builder.sampledCount === 0) reject(STOPPED);
        else resolve({ status: 'paused', partial: { ...arraysOf(builder), state: sequence.id } });
      });
      step();
    });
  };
}

/** Passes are drawn by id and attempt; it takes a while. */
export function simulatedReward(clock: Clock, duration: (sequence: Sequence) => number) {
  return async (sequence: Sequence, _response: unknown, signal: AbortSignal): Promise<Reward> => {
    await new Promise<void>((resolve) => {
      const cancel = clock.after(duration(sequence), resolve);
      signal.addEventListener('abort', cancel);
    });
    const passed = new Random(`${sequence.id} ${sequence.attempt}`, 'reward').chance(0.5);
    return { value: passed ? 1 : 0, passed, reason: passed ? 'right' : 'wrong' };
  };
}

/** A number from 0 up to 1 that depends on the text only. */
export function drawn(text: string): number {
  return hashText(text) / 2 ** 32;
}

function builderOf({ partial }: Sequence): TrajectoryBuilder {
  const builder = new TrajectoryBuilder(null);
  if (!partial) builder.appendGiven([1, 2, 3]);
  partial?.tokens.forEach((token, i) => {
    if (partial.sampled[i] === 0) builder.appendGiven([token]);
    else builder.appendSampled([token], [partial.logprobs[i]!], partial.versions[i]!);
  });
  return builder;
}

function finished(
  { id, group, domain }: Sequence,
  builder: TrajectoryBuilder,
  ends: Course['ends'],
): RolloutResult {
  const trajectory: Trajectory = builder.finish({
    ...{ id, group, domain, reward: null, finish: 'stop' },
  });
  if (ends === 'malformed') trajectory.logprobs[trajectory.logprobs.length - 1] = Number.NaN;
  const response = [{ role: 'assistant', content: `answer of ${id}` }];
  return { status: 'finished', trajectory, response };
}

function arraysOf(builder: TrajectoryBuilder): Omit<PartialRollout, 'state'> {
  const told = { id: '', group: '', domain: '', reward: null, finish: 'stop' } as const;
  const { tokens, sampled, logprobs, versions, routes } = builder.finish(told);
  return { tokens, sampled, logprobs, versions, routes };
}
