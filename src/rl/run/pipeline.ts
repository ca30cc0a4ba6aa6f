/**
 * Stages of post-training one after another, from a base model to the student that its teachers taught:
 * a list of configs, each of which could be run alone. What is done is found by looking, so a pipeline that
 * was stopped or killed goes on where it was, and keeps no state of its own.
 */
import { basename, dirname, join, resolve } from 'node:path';
import { z } from 'zod';
import { findCheckpoint } from '../../checkpoint/checkpoint-directory.ts';
import { openCheckpoint } from '../../checkpoint/load.ts';
import { parseConfig } from '../../config-fields.ts';
import { UserError } from '../../errors.ts';
import { readJsonFile } from '../../json-file.ts';
import type { Device, Precision } from '../../tensor/device.ts';
import { precisionOf } from '../../train/open-run.ts';
import { runTraining, type TrainingEvent } from '../../train/run.ts';
import { checkpointName } from '../../train/run-directory.ts';
import { checkpointOf } from '../teachers/open-teachers.ts';
import { type PolicyEvent, runPolicy } from './policy-run.ts';
import { type RunConfig, readRunConfig } from './read-config.ts';

export interface PipelineStage {
  /** Of its file. */
  name: string;
  run: RunConfig;
  /** Its last checkpoint, once it is there. */
  result: string;
}

export type RunEvent = TrainingEvent | PolicyEvent;

export type PipelineEvent =
  | { type: 'stage'; stage: PipelineStage; number: number; of: number; isDone: boolean }
  | { type: 'run'; stage: PipelineStage; event: RunEvent }
  | { type: 'end'; result: string | null };

const pipelineSchema = z.strictObject({
  /** Files of configs, in order. */
  stages: z.array(z.string('must be a path').min(1), 'must be a list').min(1, 'must not be empty'),
});

/**
 * Reads a pipeline's file and the configs it names, and sees to it that each stage begins with something
 * that is there or that a stage before will have made.
 *
 * @throws UserError naming the file and the field
 */
export async function readPipeline(path: string): Promise<PipelineStage[]> {
  const { stages: files } = parseConfig(pipelineSchema, await readJsonFile(path), path);
  const stages: PipelineStage[] = [];
  for (const file of files) {
    const run = await readRunConfig(resolve(dirname(path), file));
    const { output, steps } = run.config;
    const name = basename(file, '.json');
    if (stages.some((stage) => stage.run.config.output === output)) {
      throw new UserError(`${path}: ${name} writes to ${output}, as a stage before does`);
    }
    for (const begin of beginnings(run)) {
      if (stages.some(({ result }) => result === begin) || (await isCheckpoint(begin))) continue;
      throw new UserError(
        `${path}: ${name} needs ${begin}, which is not there and is no stage's last checkpoint`,
      );
    }
    stages.push({ name, run, result: join(output, checkpointName(steps)) });
  }
  return stages;
}

/**
 * Runs the stages that are not done.
 *
 * @param openDevice a device in this precision, which the pipeline destroys
 * @throws UserError as the runs do
 */
export async function* runPipeline(
  stages: readonly PipelineStage[],
  openDevice: (precision: Precision | 'auto') => Promise<Device>,
  signal?: AbortSignal,
): AsyncGenerator<PipelineEvent> {
  for (const [index, stage] of stages.entries()) {
    const isDone = await isCheckpoint(stage.result);
    yield { type: 'stage', stage, number: index + 1, of: stages.length, isDone };
    if (isDone) continue;
    const { run } = stage;
    const precision = await precisionOf(run.config);
    const device = await openDevice(precision);
    try {
      for await (const event of runConfig(device, run, signal)) yield { type: 'run', stage, event };
    } finally {
      await device.destroy();
    }
    // Stopped, by whoever asked or by a rule of its own; what follows needs its last step.
    if (!(await isCheckpoint(stage.result))) {
      yield { type: 'end', result: null };
      return;
    }
  }
  yield { type: 'end', result: stages.at(-1)!.result };
}

/** A run of any kind. */
export function runConfig(
  device: Device,
  run: RunConfig,
  signal?: AbortSignal,
): AsyncGenerator<RunEvent> {
  const options = signal ? { signal } : {};
  return run.kind === 'policy'
    ? runPolicy(device, run.config, options)
    : runTraining(device, run.config, options);
}

/** Checkpoints that a run has to find. */
function beginnings({ config }: RunConfig): string[] {
  const found = config.model.checkpoint === undefined ? [] : [config.model.checkpoint];
  if (!('teachers' in config)) return found;
  return [...found, ...Object.values(config.teachers).flatMap((one) => checkpointOf(one) ?? [])];
}

async function isCheckpoint(path: string): Promise<boolean> {
  try {
    const checkpoint = await openCheckpoint(await findCheckpoint(path));
    await checkpoint.close();
    return true;
  } catch (error) {
    if (error instanceof UserError) return false;
    throw error;
  }
}
