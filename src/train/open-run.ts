/** Begins a run, or opens one that was stopped, from its newest checkpoint. */
import { loadModel } from '../checkpoint/load-model.ts';
import {
  type LoadedText,
  type OpenOptions,
  type OpenSource,
  openSources,
} from '../data/open-sources.ts';
import { SampleStream } from '../data/sample-stream.ts';
import { UserError } from '../errors.ts';
import { releaseModel, type TrainableModel } from '../model/weights.ts';
import type { Device, Precision } from '../tensor/device.ts';
import type { TextFiles } from '../text/text-files.ts';
import type { TrainingConfig } from './config.ts';
import { Packer, type PackerState } from './packing.ts';
import { loadText, prepareModel, prepareText } from './prepare.ts';
import { RunDirectory } from './run-directory.ts';
import { assertSameRun } from './same-run.ts';
import { cosineSchedule, type Schedule, warmupStableDecay } from './schedule.ts';
import { anyStateSchema, loadMoments, readState, readStateAs, type TrainerState } from './state.ts';
import type { TrainingBatch } from './targets.ts';
import { Trainer } from './trainer.ts';
import { openZerosWatch } from './zeros-history.ts';
import type { ZerosWatch } from './zeros-watch.ts';

export interface Run {
  directory: RunDirectory;
  /** The newest checkpoint. */
  checkpoint: string | null;
  state: TrainerState;
  text: LoadedText;
  sources: readonly OpenSource[];
  packer: Packer;
  /** Batches that are evaluated and not trained on. */
  heldOut: TrainingBatch[];
  trainer: Trainer;
  /** Null if num-zeros is not watched. */
  zerosWatch: ZerosWatch | null;
  /** Frees the model and all that belongs to it, and closes the sources. */
  release(): Promise<void>;
}

/**
 * What a run of any kind wants its device to compute in: what the config says; if it leaves that open,
 * what the run began with; and 'auto' if it has not begun.
 */
export async function precisionOf({
  precision,
  output,
}: Pick<TrainingConfig, 'precision' | 'output'>): Promise<TrainingConfig['precision']> {
  if (precision !== 'auto') return precision;
  const checkpoint = await (await RunDirectory.open(output)).newestCheckpoint();
  return checkpoint ? (await readStateAs(anyStateSchema, checkpoint)).precision : precision;
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
  const sources = await openSources(config.data, loaded, openOptions(config));
  const closeSources = () => Promise.all(sources.map(({ source }) => source.close()));
  try {
    assertSameSources(config, state, sources, checkpoint);
    const packer = packerOf(sources, config, state.data);
    const heldOut = await heldOutBatches(config, loaded);
    await directory.trimMetrics(state.step);
    const zerosWatch = await openZerosWatch(config, directory);
    const trained = await openTrainer(device, config, state, text, checkpoint);
    const release = async () => {
      trained.release();
      await closeSources();
    };
    const { trainer } = trained;
    return {
      directory,
      checkpoint,
      state,
      text: loaded,
      sources,
      packer,
      heldOut,
      trainer,
      zerosWatch,
      release,
    };
  } catch (error) {
    await closeSources();
    throw error;
  }
}

/** The model with its optimizer, as new or as the checkpoint has them. */
async function openTrainer(
  device: Device,
  config: TrainingConfig,
  state: TrainerState,
  text: TextFiles,
  checkpoint: string | null,
): Promise<{ trainer: Trainer; release: () => void }> {
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
  return { trainer, release };
}

function newState(config: TrainingConfig): TrainerState {
  const data = { stream: [], waiting: [] };
  return { step: 0, tokens: 0, seconds: 0, precision: 'f32', data, sources: [], config };
}

/** Samples that are asked for ahead, for each data thread. */
const aheadPerThread = 64;

function openOptions({ seed, cache, dataThreads }: TrainingConfig): OpenOptions {
  return { seed, cacheDirectory: cache, threads: dataThreads };
}

function packerOf(
  sources: readonly OpenSource[],
  { seed, microBatchTokens, maxLength, dataThreads }: TrainingConfig,
  state: PackerState,
): Packer {
  const stream = new SampleStream(sources, seed, state.stream, aheadPerThread * dataThreads);
  return new Packer(stream, { budget: microBatchTokens, maxLength }, state.waiting);
}

async function heldOutBatches(
  config: TrainingConfig,
  loaded: LoadedText,
): Promise<TrainingBatch[]> {
  const { evaluation } = config;
  if (!evaluation) return [];
  // Few samples: not worth threads.
  const alone = { ...config, dataThreads: 0 };
  const sources = await openSources(evaluation.data, loaded, openOptions(alone));
  try {
    const packer = packerOf(sources, alone, { stream: [], waiting: [] });
    const batches: TrainingBatch[] = [];
    for (let tokens = 0; tokens < evaluation.tokens; tokens += batches.at(-1)!.tokens.length) {
      batches.push(await packer.next());
    }
    return batches;
  } finally {
    await Promise.all(sources.map(({ source }) => source.close()));
  }
}

/** The same file name may hold other text than when the run began; that would change it in silence. */
function assertSameSources(
  { data }: TrainingConfig,
  state: TrainerState,
  sources: readonly OpenSource[],
  checkpoint: string | null,
): void {
  const now = sources.map(({ index }) => index?.contentHash ?? '');
  if (checkpoint !== null) {
    const changed = now.findIndex((hash, i) => hash !== state.sources[i]);
    if (changed >= 0) {
      const { jsonl, text, parquet } = data[changed]!;
      throw new UserError(
        `${jsonl ?? text ?? parquet}: does not hold what it held when the run in ${checkpoint} ` +
          'began; put the old file back, or choose another output',
      );
    }
  }
  state.sources = now;
}

export function scheduleOf({
  learningRate,
  steps,
}: Pick<TrainingConfig, 'learningRate' | 'steps'>): Schedule {
  const { schedule } = learningRate;
  return (schedule === 'cosine' ? cosineSchedule : warmupStableDecay)({ ...learningRate, steps });
}

/** Whether the model knows all tokens of the text, and positions as long as the run's sequences. */
export function assertFits(
  { config }: TrainableModel,
  { tokenizer }: TextFiles,
  { maxLength }: Pick<TrainingConfig, 'maxLength'>,
): void {
  tokenizer.assertFits(config);
  if (maxLength > config.maxPositions) {
    throw new UserError(
      `maxLength is ${maxLength}, but the model has ${config.maxPositions} positions ` +
        '(max_position_embeddings); make one fit the other',
    );
  }
}

export function assertPrecision(
  device: Device,
  { precision }: { precision: Precision | 'auto' },
): void {
  if (precision === 'auto' || precision === device.precision) return;
  throw new UserError(
    `the run is in precision ${precision} and the device ${device.name} was opened in ` +
      `${device.precision}: open it in ${precision}, or say "precision": "${device.precision}"`,
  );
}
