/**
 * A training run from its config to its last checkpoint. A run whose directory holds a checkpoint goes
 * on from it, with the same bits as if it had never stopped: everything that decides a step, from the
 * moments to the samples that wait to be packed, is in the checkpoint.
 */
import type { ShardIndex } from '../data/prepare-shards.ts';
import { UserError } from '../errors.ts';
import type { TrainableModel } from '../model/weights.ts';
import type { Device, Precision } from '../tensor/device.ts';
import { OutOfMemoryError } from '../tensor/tensor.ts';
import type { TextFiles } from '../text/text-files.ts';
import { BatchQueue, type StepSize } from './batch-queue.ts';
import type { TrainingConfig } from './config.ts';
import { heldOutLoss } from './evaluate.ts';
import { openRun, type Run } from './open-run.ts';
import { recordFailure } from './record-failure.ts';
import { saveTraining } from './state.ts';
import type { LossMeans } from './step-sums.ts';
import type { StepMetrics } from './trainer.ts';
import { zerosOf } from './zeros-history.ts';
import { describeWarning } from './zeros-watch.ts';

export type TrainingEvent =
  | {
      type: 'start';
      model: TrainableModel;
      step: number;
      resumedFrom: string | null;
      /** What the file sources hold, and what was left out of them. */
      files: ShardIndex[];
    }
  | ({ type: 'step' } & RunMetrics)
  | ({ type: 'evaluation' } & EvaluationMetrics)
  | ({ type: 'warning' } & RunWarning)
  | { type: 'checkpoint'; step: number; path: string }
  | { type: 'finish'; reason: 'done' | 'stopped'; step: number; checkpoint: string | null };

/** What is written when a run begins, and each time it goes on. */
export interface StartMetrics {
  /** Steps taken before. */
  step: number;
  /** Steps of the whole run. */
  steps: number;
  device: string;
  precision: Precision;
}

export function startMetrics(
  { step }: { step: number },
  { steps }: { steps: number },
  { description, precision }: Device,
): StartMetrics {
  return { step, steps, device: description, precision };
}

/** An evaluation as it is written. */
export interface EvaluationMetrics extends LossMeans {
  step: number;
  scores: Record<string, number>;
}

/** What a run thinks that people should look at; with `stops` it ended for it. */
export interface RunWarning {
  step: number;
  text: string;
  stops: boolean;
}

/** A step as it is written to `metrics.jsonl`. */
export interface RunMetrics extends StepMetrics {
  /** Tokens of the run so far. */
  totalTokens: number;
  tokensPerSecond: number;
  /** Time spent in steps so far, over all the run's processes. */
  seconds: number;
  /** Mean outcome of a step of reinforcement learning. */
  reward?: number;
}

export interface RunOptions {
  /** Ends the run after the current step, with a checkpoint. */
  signal?: AbortSignal;
  /** Further scores of an evaluation by name, such as the share of right answers. */
  evaluate?: (model: TrainableModel, text: TextFiles) => Promise<Record<string, number>>;
}

/**
 * Trains, and says what happens. Whoever stops listening ends the run without a checkpoint.
 *
 * @throws UserError when the config does not fit the run that is in `output`, data is broken, the disk
 *   refuses, or training diverges; the last checkpoint is then intact
 */
export async function* runTraining(
  device: Device,
  config: TrainingConfig,
  options: RunOptions = {},
): AsyncGenerator<TrainingEvent> {
  const run = await openRun(device, config);
  try {
    yield* steps(run, config, options);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    const advice = error instanceof OutOfMemoryError ? savingMemory(config) : undefined;
    throw await recordFailure(run, error, advice);
  } finally {
    await run.release();
  }
}

/** What to do where memory is short. Only the second changes nothing that a run has begun with. */
function savingMemory({ microBatchTokens, recompute }: TrainingConfig): string {
  const fewer = `fewer microBatchTokens than ${microBatchTokens} (in a new run)`;
  return recompute === 'none'
    ? `"recompute": "layers" needs less, and so do ${fewer}`
    : `try ${fewer}`;
}

async function* steps(
  run: Run,
  config: TrainingConfig,
  { signal, evaluate }: RunOptions,
): AsyncGenerator<TrainingEvent> {
  const { state, directory } = run;
  const { model } = run.trainer;
  const files = run.sources.flatMap(({ index }) => index ?? []);
  await directory.appendMetrics({ type: 'start', ...startMetrics(state, config, model.device) });
  yield { type: 'start', model, step: state.step, resumedFrom: run.checkpoint, files };
  const queue = new BatchQueue(run.packer, stepSize(config));
  let isStopped = false;
  for (let saved = state.step; ; ) {
    const { step } = state;
    const isLast = step >= config.steps || isStopped || signal?.aborted === true;
    if (step > saved && (isLast || step % config.checkpointEvery === 0)) {
      const path = directory.checkpoint(step);
      await saveTraining(path, model, run.trainer.optimizer, run.text.files, state);
      run.checkpoint = path;
      saved = step;
      await directory.prune(config.keepCheckpoints);
      yield { type: 'checkpoint', step, path };
    }
    if (isLast) break;

    const metrics = await takeStep(run, queue, step + 1 < config.steps);
    await directory.appendMetrics({ type: 'step', ...metrics });
    yield { type: 'step', ...metrics };

    const warning = run.zerosWatch?.add(zerosOf(metrics));
    if (warning) {
      const stops = config.zerosWatch!.stop;
      const told = { step: warning.step, text: describeWarning(warning), stops };
      await directory.appendMetrics({ type: 'warning', ...told, ...warning });
      yield { type: 'warning', ...told };
      isStopped ||= stops;
    }

    if (isDue(config, state.step)) {
      const means = await heldOutLoss(model, run.heldOut);
      const scores = (await evaluate?.(model, run.text.text)) ?? {};
      const evaluation = { type: 'evaluation', step: state.step, ...means, scores } as const;
      await directory.appendMetrics(evaluation);
      yield evaluation;
    }
  }
  const reason = state.step < config.steps ? 'stopped' : 'done';
  yield { type: 'finish', reason, step: state.step, checkpoint: run.checkpoint };
}

/** One step on the next batches; moves the run's state on. */
async function takeStep(
  { state, trainer }: Run,
  queue: BatchQueue,
  more: boolean,
): Promise<RunMetrics> {
  const start = performance.now();
  const { batches, packerState } = await queue.next(more);
  const metrics = await trainer.step(batches);
  const seconds = (performance.now() - start) / 1000;
  state.step = metrics.step;
  state.tokens += metrics.tokens;
  state.seconds += seconds;
  state.data = packerState;
  return {
    ...metrics,
    totalTokens: state.tokens,
    tokensPerSecond: metrics.tokens / seconds,
    seconds: state.seconds,
  };
}

function stepSize({ batchTokens, batchSequences, microBatchTokens }: TrainingConfig): StepSize {
  return batchTokens === undefined
    ? { sequences: batchSequences! }
    : { batches: batchTokens / microBatchTokens };
}

function isDue({ evaluation, steps }: TrainingConfig, step: number): boolean {
  return evaluation !== undefined && (step % evaluation.every === 0 || step === steps);
}
