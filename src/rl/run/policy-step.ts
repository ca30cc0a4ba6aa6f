/** One step of reinforcement learning: a batch of groups, its teachers' scores, an update, new weights. */
import { UserError } from '../../errors.ts';
import { gradientMetrics } from '../../train/gradient-report.ts';
import type { RunMetrics } from '../../train/run.ts';
import type { Example } from '../algorithms/algorithm.ts';
import type { DrawnFigures } from '../rollout/drawn-tokens.ts';
import type { ScheduledBatch, SchedulerFigures } from '../scheduler/types.ts';
import { isCarried } from '../scheduler/versions.ts';
import { TeacherFailure } from '../teachers/teacher.ts';
import type { Toolbox } from '../tools/types.ts';
import type { MismatchFigures } from '../trainer/policy-figures.ts';
import type { PolicyMetrics } from '../trainer/policy-metrics.ts';
import type { Trajectory } from '../trajectory.ts';
import type { PolicyConfig } from './config.ts';
import type { PolicyRun } from './open-policy-run.ts';

/** A step as it is written to `metrics.jsonl`, with all that other runs have. */
export interface PolicyStepMetrics
  extends RunMetrics,
    Pick<
      PolicyMetrics,
      | 'version'
      | 'updated'
      | 'sampledTokens'
      | 'mismatch'
      | 'staleness'
      | 'algorithm'
      | 'routesReplayed'
      | 'gradientHeadroom'
    > {
  /** Mean outcome of the step's sequences; of groups with signal, where others are replaced. */
  reward: number;
  rewardByDomain: Record<string, number>;
  sequences: number;
  /** Share of the sequences that reached a limit. */
  cut: number;
  /** Share of the sequences that were carried over steps, and so hold tokens of several versions. */
  carried: number;
  /** Seconds for which the batch was there but held back for sequences that were about to be too old. */
  held: number;
  /** Share of right answers of recent attempts by kind of problem, replaced groups included. */
  passRates: Record<string, number>;
  failures: SchedulerFigures['failures'];
  /** Of each kind of tool, in all of this process; and what is taken of what there is. */
  tools: ReturnType<Toolbox['figures']>;
  /** What was drawn since the step before, how many a second, and how well the heads drafted. */
  rollouts: DrawnFigures & { tokensPerSecond: number };
  /** The mismatch that there would be without the replay of routes, if it was compared. */
  mismatchWithoutReplay?: MismatchFigures;
  /** Of the step's seconds. */
  parts: { sampling: number; teachers: number; training: number };
}

/** Takes a step on a batch that took `sampling` seconds to come; moves the run's state on. */
export async function takePolicyStep(
  run: PolicyRun,
  { compareReplayEvery }: PolicyConfig,
  batch: ScheduledBatch,
  sampling: number,
): Promise<PolicyStepMetrics> {
  const { state, trainer, sampler, scheduler, algorithm } = run;
  const version = state.step;
  const begin = performance.now();
  const drawn = run.drawn.take();
  const trajectories = batch.groups.flatMap((group) => group.trajectories);
  const examples = await scored(run, trajectories);
  const scoredAt = performance.now();
  const isCompared = compareReplayEvery !== undefined && batch.number % compareReplayEvery === 0;
  const compared = isCompared && (await trainer.mismatch(trajectories, { replay: false }));
  const metrics = await sampler.during(batch.number, () =>
    trainer.step(examples, algorithm, version),
  );
  scheduler.advance(batch.number);
  const parts = {
    sampling,
    teachers: (scoredAt - begin) / 1000,
    training: (performance.now() - scoredAt) / 1000,
  };
  const seconds = parts.sampling + parts.teachers + parts.training;
  state.step = batch.number;
  state.updates = trainer.optimizer.stepCount;
  state.tokens += metrics.tokens;
  state.seconds += seconds;
  const { gradient, mismatch, staleness, microBatches, trajectories: count, ...rest } = metrics;
  const figures = scheduler.figures();
  return {
    ...rest,
    step: batch.number,
    mismatch,
    ...(compared && { mismatchWithoutReplay: compared }),
    staleness,
    rollouts: { ...drawn, tokensPerSecond: drawn.tokens / sampling },
    ...outcomes(trajectories),
    sequences: count,
    passRates: Object.fromEntries(
      Object.entries(figures.passRates).map(([cell, { rate }]) => [cell, rate]),
    ),
    failures: figures.failures,
    tools: run.toolbox.figures(),
    held: figures.held / 1000,
    lossByLabel: {},
    balanceLoss: null,
    ...gradientMetrics(gradient),
    totalTokens: state.tokens,
    tokensPerSecond: metrics.tokens / seconds,
    seconds: state.seconds,
    parts,
  };
}

/** What can be trained on; what a teacher could not score is counted and left out. */
async function scored(
  { teachers, algorithm, scheduler }: PolicyRun,
  trajectories: readonly Trajectory[],
): Promise<Example[]> {
  if (!teachers) return trajectories.map((trajectory) => ({ trajectory, teacher: null }));
  const scores = await teachers.score(trajectories, algorithm.topCount);
  const examples: Example[] = [];
  let failure: TeacherFailure | null = null;
  for (const [i, trajectory] of trajectories.entries()) {
    const teacher = scores[i]!;
    if (teacher instanceof TeacherFailure) {
      scheduler.report(trajectory.id, teacher);
      failure = teacher;
    } else examples.push({ trajectory, teacher });
  }
  if (examples.length > 0) return examples;
  throw new UserError(`no sequence of the batch was scored: ${failure?.message}`);
}

function outcomes(trajectories: readonly Trajectory[]) {
  const mean = (own: readonly Trajectory[]) =>
    own.reduce((sum, { reward }) => sum + (reward ?? 0), 0) / own.length;
  const domains = Map.groupBy(trajectories, ({ domain }) => domain);
  return {
    reward: mean(trajectories),
    rewardByDomain: Object.fromEntries([...domains].map(([domain, own]) => [domain, mean(own)])),
    carried: trajectories.filter(isCarried).length / trajectories.length,
    cut: trajectories.filter(({ finish }) => finish === 'length').length / trajectories.length,
  };
}
