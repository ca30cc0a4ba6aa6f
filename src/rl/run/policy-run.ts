/**
 * A run of reinforcement learning from its config to its last checkpoint. It goes on after a stop, a kill
 * or a power cut: the checkpoint has the weights, the moments and how many batches it has seen, and the
 * scheduler's journal has the sequences, so that none is lost and none is trained on twice.
 */
import { UserError } from '../../errors.ts';
import type { TrainableModel } from '../../model/weights.ts';
import type { Device } from '../../tensor/device.ts';
import { recordFailure } from '../../train/record-failure.ts';
import { startMetrics } from '../../train/run.ts';
import { saveTraining } from '../../train/state.ts';
import { untilAborted } from '../deadline.ts';
import type { ScheduledBatch } from '../scheduler/types.ts';
import type { PolicyConfig } from './config.ts';
import { type DomainAccuracy, domainAccuracy } from './domain-accuracy.ts';
import { openPolicyRun, type PolicyRun } from './open-policy-run.ts';
import { type PolicyStepMetrics, takePolicyStep } from './policy-step.ts';

export type PolicyEvent =
  | { type: 'start'; model: TrainableModel; step: number; resumedFrom: string | null }
  | ({ type: 'step' } & PolicyStepMetrics)
  | ({ type: 'accuracy'; step: number } & DomainAccuracy)
  | { type: 'checkpoint'; step: number; path: string }
  | { type: 'finish'; reason: 'done' | 'stopped'; step: number; checkpoint: string | null };

export interface PolicyRunOptions {
  /** Ends the run with a checkpoint, after the current step or at once while it waits for a batch. */
  signal?: AbortSignal;
}

/**
 * Trains, and says what happens. Whoever stops listening ends the run without a checkpoint.
 *
 * @throws UserError when the config does not fit what is in `output`, too much fails, the disk refuses, or
 *   training diverges; the last checkpoint is then intact
 */
export async function* runPolicy(
  device: Device,
  config: PolicyConfig,
  { signal }: PolicyRunOptions = {},
): AsyncGenerator<PolicyEvent> {
  const run = await openPolicyRun(device, config);
  try {
    yield* steps(run, config, signal);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    throw await recordFailure(run, error);
  } finally {
    await run.release();
  }
}

async function* steps(
  run: PolicyRun,
  config: PolicyConfig,
  signal: AbortSignal | undefined,
): AsyncGenerator<PolicyEvent> {
  const { state, directory, trainer, scheduler, text } = run;
  const { model } = trainer;
  await directory.appendMetrics({ type: 'start', ...startMetrics(state, config, model.device) });
  yield { type: 'start', model, step: state.step, resumedFrom: run.checkpoint };
  if (state.step === 0) yield* evaluate(run, config);
  for (let saved = state.step; ; ) {
    const isLast = state.step >= config.steps || signal?.aborted === true;
    if (state.step > saved && (isLast || state.step % config.checkpointEvery === 0)) {
      const path = directory.checkpoint(state.step);
      await saveTraining(path, model, trainer.optimizer, text.files, state);
      await scheduler.commit(state.step);
      run.checkpoint = path;
      saved = state.step;
      await directory.prune(config.keepCheckpoints);
      yield { type: 'checkpoint', step: state.step, path };
    }
    if (isLast) break;

    const begin = performance.now();
    const batch = await nextBatch(run, signal);
    if (!batch) continue;
    const metrics = await takePolicyStep(run, config, batch, (performance.now() - begin) / 1000);
    await directory.appendMetrics({ type: 'step', ...metrics });
    yield { type: 'step', ...metrics };
    yield* evaluate(run, config);
  }
  const reason = state.step < config.steps ? 'stopped' : 'done';
  yield { type: 'finish', reason, step: state.step, checkpoint: run.checkpoint };
}

/** Null if the run is to stop first. */
async function nextBatch(
  { scheduler }: PolicyRun,
  signal: AbortSignal | undefined,
): Promise<ScheduledBatch | null> {
  const batch = scheduler.next();
  // The scheduler is closed with the run, which rejects what nobody waits for any more.
  batch.catch(() => {});
  try {
    return await untilAborted(batch, signal);
  } catch (error) {
    if (signal?.aborted && error === signal.reason) return null;
    throw error;
  }
}

async function* evaluate(run: PolicyRun, config: PolicyConfig): AsyncGenerator<PolicyEvent> {
  const { step } = run.state;
  const { evaluation, steps } = config;
  if (!evaluation || (step % evaluation.every !== 0 && step !== steps)) return;
  const accuracy = await domainAccuracy(run, config);
  // What that has drawn is no step's.
  run.drawn.take();
  const event = { type: 'accuracy', step, ...accuracy } as const;
  await run.directory.appendMetrics(event);
  yield event;
}
