/** Begins a run, or opens one that was stopped, from its newest checkpoint. */
import { basename } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { loadModel } from '../checkpoint/load-model.ts';
import { UserError } from '../errors.ts';
import { type Model, releaseModel } from '../model/weights.ts';
import type { Device, Precision } from '../tensor/device.ts';
import type { TextFiles } from '../text/tokenizer-files.ts';
import type { DataConfig, TrainingConfig } from './config.ts';
import { Packer, type PackerState } from './packing.ts';
import { type LoadedText, loadText, openSources, prepareModel, prepareText } from './prepare.ts';
import { RunDirectory } from './run-directory.ts';
import { SampleStream } from './sample-stream.ts';
import { cosineSchedule, type Schedule, warmupStableDecay } from './schedule.ts';
import { loadMoments, readState, type TrainerState } from './state.ts';
import type { TrainingBatch } from './targets.ts';
import { Trainer } from './trainer.ts';

export interface Run {
  directory: RunDirectory;
  /** The newest checkpoint. */
  checkpoint: string | null;
  state: TrainerState;
  text: LoadedText;
  packer: Packer;
  /** Batches that are evaluated and not trained on. */
  heldOut: TrainingBatch[];
  trainer: Trainer;
  /** Frees the model and all that belongs to it. */
  release(): void;
}

/**
 * What a run wants its device to compute in: what the config says; if it leaves that open, what the run
 * began with; and 'auto' if it has not begun.
 */
export async function precisionOf({ precision, output }: TrainingConfig) {
  if (precision !== 'auto') return precision;
  const checkpoint = await (await RunDirectory.open(output)).newestCheckpoint();
  return checkpoint ? (await readState(checkpoint)).precision : precision;
}

/** @throws UserError when something that the config names is missing or does not fit */
export async function openRun(device: Device, config: TrainingConfig): Promise<Run> {
  const directory = await RunDirectory.open(config.output);
  const checkpoint = await directory.newestCheckpoint();
  const state = checkpoint ? await readState(checkpoint) : newState(config);
  if (checkpoint) assertSameRun(config, state, checkpoint);
  assertPrecision(device, checkpoint && config.precision === 'auto' ? state : config);
  state.precision = device.precision;
  const loaded = await (checkpoint
    ? loadText(checkpoint)
    : prepareText(config, directory.tokenizer));
  const { text } = loaded;
  const packer = await openPacker(config.data, config, text, config.seed, state.data);
  const heldOut = await heldOutBatches(config, text);
  await directory.trimMetrics(state.step);

  const model = await (checkpoint
    ? loadModel(device, checkpoint)
    : prepareModel(device, config, text.tokenizer));
  const trainer = new Trainer(model, {
    schedule: scheduleOf(config),
    adamw: { ...config.adamw, clipNorm: config.clipNorm },
    mtpLossWeight: config.mtpLossWeight,
    expertBiasRate: config.expertBiasRate,
    balanceCoefficient: config.balanceCoefficient,
    recompute: config.recompute,
  });
  const release = () => {
    trainer.release();
    releaseModel(model);
  };
  try {
    assertFits(model, text, config);
    if (checkpoint) await loadMoments(checkpoint, model, trainer.optimizer);
    trainer.optimizer.stepCount = state.step;
  } catch (error) {
    release();
    throw error;
  }
  return { directory, checkpoint, state, text: loaded, packer, heldOut, trainer, release };
}

function newState(config: TrainingConfig): TrainerState {
  const data = { stream: [], waiting: [] };
  return { step: 0, tokens: 0, seconds: 0, precision: 'f32', data, config };
}

async function openPacker(
  data: readonly DataConfig[],
  { microBatchTokens, maxLength }: TrainingConfig,
  text: TextFiles,
  seed: number,
  state: PackerState,
): Promise<Packer> {
  const sources = await openSources(data, text.chatTemplate, seed);
  const stream = new SampleStream(sources, text, seed, state.stream);
  return new Packer(stream, { budget: microBatchTokens, maxLength }, state.waiting);
}

async function heldOutBatches(config: TrainingConfig, text: TextFiles): Promise<TrainingBatch[]> {
  const { evaluation, seed } = config;
  if (!evaluation) return [];
  const unused = { stream: [], waiting: [] };
  const packer = await openPacker(evaluation.data, config, text, seed, unused);
  const batches: TrainingBatch[] = [];
  for (let tokens = 0; tokens < evaluation.tokens; tokens += batches.at(-1)!.tokens.length) {
    batches.push(await packer.next());
  }
  return batches;
}

function scheduleOf({ learningRate, steps }: TrainingConfig): Schedule {
  const { schedule } = learningRate;
  return (schedule === 'cosine' ? cosineSchedule : warmupStableDecay)({ ...learningRate, steps });
}

function assertFits({ config }: Model, { tokenizer }: TextFiles, { maxLength }: TrainingConfig) {
  tokenizer.assertFits(config);
  if (maxLength > config.maxPositions) {
    throw new UserError(
      `maxLength is ${maxLength}, but the model has ${config.maxPositions} positions ` +
        '(max_position_embeddings); make one fit the other',
    );
  }
}

/** A run may go on longer and report otherwise, but not train otherwise. */
function assertSameRun(config: TrainingConfig, state: TrainerState, checkpoint: string): void {
  const [now, before] = [decisive(config), decisive(state.config as TrainingConfig)];
  for (const key of Object.keys(now) as (keyof typeof now)[]) {
    if (isDeepStrictEqual(now[key], before[key])) continue;
    throw new UserError(
      `${key} is not what the run in ${checkpoint} began with; put it back, ` +
        'or choose another output (model.checkpoint can begin with these weights)',
    );
  }
}

function assertPrecision(device: Device, { precision }: { precision: Precision | 'auto' }): void {
  if (precision === 'auto' || precision === device.precision) return;
  throw new UserError(
    `the run is in precision ${precision} and the device ${device.name} was opened in ` +
      `${device.precision}: open it in ${precision}, or say "precision": "${device.precision}"`,
  );
}

/** What decides the steps that are still to come; files may have moved to another folder. */
function decisive(config: TrainingConfig) {
  const { seed, batchTokens, microBatchTokens, maxLength, learningRate, adamw, clipNorm } = config;
  const { mtpLossWeight, expertBiasRate, balanceCoefficient } = config;
  const data = config.data.map(({ jsonl, text, ...entry }) => ({
    ...entry,
    file: basename(jsonl ?? text ?? ''),
  }));
  return {
    seed,
    data,
    batchTokens,
    microBatchTokens,
    maxLength,
    learningRate,
    adamw,
    clipNorm,
    mtpLossWeight,
    expertBiasRate,
    balanceCoefficient,
  };
}
