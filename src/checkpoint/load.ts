/** Opens a model's files on disk. */
import fs from 'node:fs/promises';
import { basename, join } from 'node:path';
import { z } from 'zod';
import { UserError } from '../errors.ts';
import { parseHubConfig, parseQuantizedBits } from '../model/hub-config.ts';
import { Checkpoint } from './checkpoint.ts';
import { CONFIG_FILE, findCheckpoint } from './checkpoint-directory.ts';
import { asUserError, errorCode } from './file-errors.ts';
import { openFileSource } from './file-source.ts';
import { SafetensorsFile } from './safetensors.ts';
import { INDEX_FILE, MTP_FILE, WEIGHTS_FILE } from './shards.ts';

/** How often an open is tried again because a save replaced the directory meanwhile. */
const MAX_REPLACED = 10;

/**
 * Opens a checkpoint: a directory in the hub's layout (`config.json`, `model.safetensors` or an
 * index and its shards, perhaps `model_mtp.safetensors`), or the prefix of `<prefix>.config.json`
 * and `<prefix>.model.safetensors`. Reads headers only. `close` it when done.
 *
 * All files are of one save, even while a training run saves to the same directory.
 *
 * @throws UserError in one line when anything is missing, damaged, or does not belong together
 */
export async function openCheckpoint(path: string): Promise<Checkpoint> {
  for (let attempt = 1; ; attempt++) {
    const directory = await findCheckpoint(path);
    const before = await identify(directory);
    let checkpoint: Checkpoint | undefined;
    try {
      checkpoint = await (before === null ? openPrefix(path) : openDirectory(directory));
      if ((await identify(await findCheckpoint(path))) === before) return checkpoint;
    } catch (error) {
      if ((await identify(await findCheckpoint(path))) === before) throw error;
    }
    await checkpoint?.close();
    if (attempt === MAX_REPLACED) {
      throw new UserError(`${path}: is being saved over and over; try again`);
    }
  }
}

/**
 * Opens a checkpoint whose files have names of their own.
 *
 * @param files paths of the config and of every weights file
 * @throws UserError as `openCheckpoint`
 */
export async function openCheckpointFiles(files: {
  config: string;
  weights: string[];
}): Promise<Checkpoint> {
  const json = await readJson(files.config);
  const config = parseHubConfig(json, files.config);
  const bits = parseQuantizedBits(json, files.config);
  const opened: SafetensorsFile[] = [];
  try {
    for (const path of files.weights) {
      opened.push(await SafetensorsFile.open(await openFileSource(path)));
    }
    return new Checkpoint(files.config, config, opened, bits);
  } catch (error) {
    for (const file of opened) await file.close();
    throw error;
  }
}

async function openPrefix(path: string): Promise<Checkpoint> {
  const config = `${path}.${CONFIG_FILE}`;
  if ((await identify(config)) === null) {
    throw new UserError(`${path}: there is no checkpoint here; check the path`);
  }
  return openCheckpointFiles({ config, weights: [`${path}.${WEIGHTS_FILE}`] });
}

async function openDirectory(directory: string): Promise<Checkpoint> {
  const names = await fs.readdir(directory).catch((error) => {
    throw asUserError(error, `cannot read ${directory}`);
  });
  if (!names.includes(CONFIG_FILE)) {
    throw new UserError(`${directory}: has no ${CONFIG_FILE}, so it is not a checkpoint`);
  }
  const index = names.includes(WEIGHTS_FILE) ? null : await readIndex(directory, names);
  const weights = new Set(index ? Object.values(index) : [WEIGHTS_FILE]);
  if (names.includes(MTP_FILE)) weights.add(MTP_FILE);
  return openCheckpointFiles({
    config: join(directory, CONFIG_FILE),
    weights: [...weights].map((name) => join(directory, name)),
  });
}

const indexSchema = z.looseObject({ weight_map: z.record(z.string(), z.string()) });

/** Tensor name to file name. */
async function readIndex(directory: string, names: string[]): Promise<Record<string, string>> {
  const path = join(directory, INDEX_FILE);
  if (!names.includes(INDEX_FILE)) {
    throw new UserError(
      `${directory}: has neither ${WEIGHTS_FILE} nor ${INDEX_FILE}; download the weights`,
    );
  }
  const result = indexSchema.safeParse(await readJson(path));
  if (!result.success) {
    throw new UserError(`${path}: weight_map must give a file name for each tensor`);
  }
  const { weight_map: files } = result.data;
  for (const file of new Set(Object.values(files))) {
    if (file !== basename(file) || !file.endsWith('.safetensors')) {
      throw new UserError(`${path}: weight_map names "${file}", not a weights file beside it`);
    }
    if (!names.includes(file)) {
      throw new UserError(`${path}: weight_map names ${file}, which is missing; download it`);
    }
  }
  return files;
}

async function readJson(path: string): Promise<unknown> {
  const text = await fs.readFile(path, 'utf8').catch((error) => {
    throw asUserError(error, `cannot read ${path}`);
  });
  try {
    return JSON.parse(text);
  } catch (error) {
    // The reason may quote the text, line breaks and all.
    const reason = error instanceof Error ? error.message.replaceAll(/\s+/g, ' ') : 'unreadable';
    throw new UserError(`${path}: is not JSON (${reason}); correct it or download it again`);
  }
}

/** Tells a file or directory from another that takes its name later; `null` when there is none. */
async function identify(path: string): Promise<string | null> {
  try {
    // The number of a removed directory is soon given to another, so its time is needed too.
    const { dev, ino, ctimeNs } = await fs.stat(path, { bigint: true });
    return `${dev}:${ino}:${ctimeNs}`;
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return null;
    throw asUserError(error, `cannot read ${path}`);
  }
}
