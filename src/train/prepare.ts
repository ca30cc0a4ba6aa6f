/** Makes a run's parts out of its config: the tokenizer, the model and the data. */
import fs from 'node:fs/promises';
import type { Checkpoint } from '../checkpoint/checkpoint.ts';
import { findCheckpoint } from '../checkpoint/checkpoint-directory.ts';
import { asUserError } from '../checkpoint/file-errors.ts';
import { openCheckpoint } from '../checkpoint/load.ts';
import { corpusOf, type LoadedText } from '../data/open-sources.ts';
import { UserError } from '../errors.ts';
import type { ModelConfig } from '../model/config.ts';
import { parseHubConfig } from '../model/hub-config.ts';
import { initializeModel } from '../model/initialize.ts';
import { allocateModel, fillModel, releaseModel, type TrainableModel } from '../model/weights.ts';
import { MIMOFLASH_TEMPLATE } from '../tasks/index.ts';
import type { Device } from '../tensor/device.ts';
import { trainBpe } from '../text/bpe-trainer.ts';
import type { Tokenizer } from '../text/tokenizer.ts';
import { readTextFiles, textFilesFrom, writeTextFiles } from '../text/tokenizer-files.ts';
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
  if (model.checkpoint !== undefined) return loadText(await findCheckpoint(model.checkpoint));
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

/** A new model with random weights, or a checkpoint's with the MTP heads that are asked for. */
export async function prepareModel(
  device: Device,
  { model: { config, checkpoint: path, mtpHeads }, seed }: TrainingConfig,
  tokenizer: Tokenizer,
): Promise<TrainableModel> {
  if (path === undefined) {
    return initializeModel(device, await readModelConfig(config!, tokenizer), seed);
  }
  const checkpoint = await openCheckpoint(path);
  try {
    return await loadWithHeads(device, checkpoint, mtpHeads ?? checkpoint.config.mtpHeads);
  } finally {
    await checkpoint.close();
  }
}

/**
 * A checkpoint with `mtpHeads` MTP heads: its own, and then copies of its first. The report trains one
 * head in pre-training and replicates it for post-training (section 2.3.2).
 */
export async function loadWithHeads(
  device: Device,
  checkpoint: Checkpoint,
  mtpHeads: number,
): Promise<TrainableModel> {
  const { name, config } = checkpoint;
  if (mtpHeads > 0 && config.mtpHeads === 0) {
    throw new UserError(`${name}: has no MTP head to copy; set model.mtpHeads to 0`);
  }
  const model = allocateModel(device, { ...config, mtpHeads });
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
  const json = typeof config === 'string' ? await readJson(config) : config;
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

async function readJson(path: string): Promise<Record<string, unknown>> {
  const text = await fs.readFile(path, 'utf8').catch((error) => {
    throw asUserError(error, `cannot read ${path}`);
  });
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new UserError(
      `${path}: is not JSON: ${(error as Error).message.replaceAll(/\s+/g, ' ')}`,
    );
  }
}
