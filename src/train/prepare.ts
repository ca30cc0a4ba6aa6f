/** Makes a run's parts out of its config: the tokenizer, the model and the data. */
import type { Checkpoint } from '../checkpoint/checkpoint.ts';
import { findCheckpoint } from '../checkpoint/checkpoint-directory.ts';
import { asUserError } from '../checkpoint/file-errors.ts';
import { openCheckpoint } from '../checkpoint/load.ts';
import { corpusOf, type LoadedText } from '../data/open-sources.ts';
import { UserError } from '../errors.ts';
import { readJsonFile } from '../json-file.ts';
import type { ModelConfig } from '../model/config.ts';
import { parseHubConfig } from '../model/hub-config.ts';
import { initializeModel } from '../model/initialize.ts';
import { allocateModel, fillModel, releaseModel, type TrainableModel } from '../model/weights.ts';
import { MIMOFLASH_TEMPLATE } from '../tasks/index.ts';
import type { Device } from '../tensor/device.ts';
import { trainBpe } from '../text/bpe-trainer.ts';
import type { Tokenizer } from '../text/tokenizer.ts';
import {
  readTextFiles,
  TOKENIZER_CONFIG,
  textFilesFrom,
  writeTextFiles,
} from '../text/tokenizer-files.ts';
import { END_OF_TURN, PADDING } from '../text/tokenizer-json.ts';
import type { TrainingConfig } from './config.ts';

/** @throws UserError if the directory lacks a tokenizer */
export async function loadText(directory: string): Promise<LoadedText> {
  const files = await readTextFiles(directory);
  return { text: textFilesFrom(files, directory), files };
}

/**
 * The tokenizer of a new run: the checkpoint's, one that is given, or one learnt from the data and
 * written to `learntDirectory`.
 */
export async function prepareText(
  config: TrainingConfig,
  learntDirectory: string,
): Promise<LoadedText> {
  const { model, tokenizer, data, seed } = config;
  if (model.checkpoint !== undefined) {
    const loaded = await loadText(await findCheckpoint(model.checkpoint));
    return { ...loaded, files: withContext(loaded.files, model.maxPositions) };
  }
  if (tokenizer?.directory !== undefined) return loadText(tokenizer.directory);
  const { vocabSize, samples } = tokenizer!.train!;
  const template = MIMOFLASH_TEMPLATE;
  const texts = await corpusOf(data, template, samples, { seed, cacheDirectory: config.cache });
  const json = trainBpe(texts, { vocabSize });
  try {
    await writeTextFiles(learntDirectory, json, template.source, config.maxLength);
  } catch (error) {
    throw asUserError(error, `cannot write ${learntDirectory}`);
  }
  return loadText(learntDirectory);
}

/** A tokenizer's files with another longest context, which its config repeats for other readers. */
function withContext(
  files: Record<string, string>,
  maxPositions: number | undefined,
): Record<string, string> {
  const config = files[TOKENIZER_CONFIG];
  if (maxPositions === undefined || config === undefined) return files;
  const changed = { ...JSON.parse(config), model_max_length: maxPositions };
  return { ...files, [TOKENIZER_CONFIG]: `${JSON.stringify(changed, null, 2)}\n` };
}

/** A new model with random weights, or a checkpoint's with the changes that the stage asks for. */
export async function prepareModel(
  device: Device,
  { model: { config, checkpoint: path, ...changes }, seed }: TrainingConfig,
  tokenizer: Tokenizer,
): Promise<TrainableModel> {
  if (path === undefined) {
    return initializeModel(device, await readModelConfig(config!, tokenizer), seed);
  }
  const checkpoint = await openCheckpoint(path);
  try {
    return await loadChanged(device, checkpoint, changes);
  } finally {
    await checkpoint.close();
  }
}

/** What a stage may change of the model that it begins with. */
export type ModelChanges = Pick<TrainingConfig['model'], 'mtpHeads' | 'ropeTheta' | 'maxPositions'>;

/**
 * A checkpoint's weights in a model that is changed in what its weights do not depend on.
 *
 * - MTP heads: its own, and then copies of its first. The report trains one head in pre-training and
 *   replicates it for post-training (section 2.3.2).
 * - The base of the global layers' rotary embeddings and the longest context: the report's third stage
 *   goes from 640,000 to 5,000,000 and from 32K to 256K (section 3.2). Sliding windows keep their base.
 */
export async function loadChanged(
  device: Device,
  checkpoint: Checkpoint,
  changes: ModelChanges,
): Promise<TrainableModel> {
  const { name, config } = checkpoint;
  const { mtpHeads = config.mtpHeads, maxPositions = config.maxPositions } = changes;
  if (mtpHeads > 0 && config.mtpHeads === 0) {
    throw new UserError(`${name}: has no MTP head to copy; set model.mtpHeads to 0`);
  }
  const { globalAttention } = config;
  const ropeTheta = changes.ropeTheta ?? globalAttention.ropeTheta;
  const model = allocateModel(device, {
    ...config,
    mtpHeads,
    maxPositions,
    globalAttention: { ...globalAttention, ropeTheta },
  });
  try {
    await fillModel(model, (spec) => {
      const isCopy = spec.mtpHead !== undefined && spec.mtpHead >= config.mtpHeads;
      const source = isCopy ? spec.name.replace(/mtp\.layers\.\d+/, 'mtp.layers.0') : spec.name;
      return checkpoint.readParameter({ ...spec, name: source });
    });
    return model;
  } catch (error) {
    releaseModel(model);
    throw error;
  }
}

async function readModelConfig(
  config: string | Record<string, unknown>,
  tokenizer: Tokenizer,
): Promise<ModelConfig> {
  const where = typeof config === 'string' ? config : 'model.config';
  const json = (typeof config === 'string' ? await readJsonFile(config) : config) as object;
  return parseHubConfig(
    {
      vocab_size: tokenizer.vocabSize,
      eos_token_id: tokenizer.idOf(END_OF_TURN),
      pad_token_id: tokenizer.idOf(PADDING),
      ...json,
    },
    where,
  );
}
