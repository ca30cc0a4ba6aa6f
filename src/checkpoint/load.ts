/** Opens a model's files on disk. */
import fs from 'node:fs/promises';
import { join } from 'node:path';
import { UserError } from '../errors.ts';
import type { Checkpoint } from './checkpoint.ts';
import { findCheckpoint } from './checkpoint-directory.ts';
import { asUserError, errorCode } from './file-errors.ts';
import { openFileSource } from './file-source.ts';
import { type ModelFolder, openFolder, openParts } from './open-folder.ts';
import { CONFIG_FILE, WEIGHTS_FILE } from './shards.ts';

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
      checkpoint = await (before === null ? openPrefix(path) : openFolder(diskFolder(directory)));
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
export function openCheckpointFiles(files: {
  config: string;
  weights: string[];
}): Promise<Checkpoint> {
  return openParts(
    () => openFileSource(files.config),
    files.weights.map((path) => () => openFileSource(path)),
  );
}

async function openPrefix(path: string): Promise<Checkpoint> {
  const config = `${path}.${CONFIG_FILE}`;
  if ((await identify(config)) === null) {
    throw new UserError(`${path}: there is no checkpoint here; check the path`);
  }
  return openCheckpointFiles({ config, weights: [`${path}.${WEIGHTS_FILE}`] });
}

function diskFolder(directory: string): ModelFolder {
  return {
    name: directory,
    list: () =>
      fs.readdir(directory).catch((error) => {
        throw asUserError(error, `cannot read ${directory}`);
      }),
    open: (file) => openFileSource(join(directory, file)),
  };
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
