/**
 * Replaces a whole checkpoint directory so that a reader finds the old one or the new one, complete,
 * wherever the process stops. No portable call swaps two directories, so it takes two renames:
 *
 *     write      .name.saving-…   beside the directory, and flush it to the disk
 *     rename     name          →  .name.previous
 *     rename     .name.saving-… → name
 *     remove     .name.previous
 *
 * Between the renames there is no `name`; then `findCheckpoint` answers with `.name.previous`, and
 * the next save puts it back before it begins. One process at a time may save to a directory; a
 * second makes the first one fail, and never mixes the two.
 */
import { randomUUID } from 'node:crypto';
import fs from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { UserError } from '../errors.ts';
import { flushToDisk } from './atomic.ts';
import { asUserError, errorCode } from './file-errors.ts';
import { CONFIG_FILE } from './shards.ts';

/** The directory that holds the last complete checkpoint saved as `path`; `path` if there is none. */
export async function findCheckpoint(path: string): Promise<string> {
  const directory = await followLink(path);
  if (await isCheckpoint(directory)) return directory;
  const previous = previousOf(directory);
  return (await isCheckpoint(previous)) ? previous : directory;
}

/**
 * Replaces or makes a checkpoint directory. Files in it that are neither written by `write` nor
 * `obsolete` are kept.
 *
 * @param write fills the temporary directory it is given
 * @param obsolete whether an old file of that name belongs to the old checkpoint alone
 * @throws UserError when the system refuses, or when the directory holds something else than a
 *   checkpoint; the previous checkpoint is then intact, and the message says so
 */
export async function replaceDirectory(
  path: string,
  write: (temporary: string) => Promise<void>,
  obsolete: (name: string) => boolean,
): Promise<void> {
  const directory = await followLink(path);
  const temporary = join(dirname(directory), `${temporaryPrefix(directory)}${randomUUID()}`);
  try {
    await fs.mkdir(dirname(directory), { recursive: true });
    await recover(directory);
    const kept = (await checkReplaceable(directory)).filter((name) => !obsolete(name));
    await fs.mkdir(temporary);
    await write(temporary);
    const written = new Set(await fs.readdir(temporary));
    for (const name of kept) {
      if (written.has(name)) continue;
      await fs.copyFile(join(directory, name), join(temporary, name));
      await flushToDisk(join(temporary, name));
    }
    await flushToDisk(temporary);
    await swap(temporary, directory);
  } catch (error) {
    await fs.rm(temporary, { recursive: true, force: true }).catch(() => {});
    throw await saveError(error, path);
  }
}

async function swap(temporary: string, directory: string): Promise<void> {
  const previous = previousOf(directory);
  const replacing = await exists(directory);
  if (replacing) await fs.rename(directory, previous);
  try {
    await fs.rename(temporary, directory);
  } catch (error) {
    // Should this fail too, the previous checkpoint is still found where it is.
    if (replacing) await fs.rename(previous, directory).catch(() => {});
    throw error;
  }
  await flushToDisk(dirname(directory));
  // The new checkpoint is in place: what cannot be removed now is removed by the next save.
  await fs.rm(previous, { recursive: true, force: true }).catch(() => {});
}

/** Ends what an interrupted save began. */
async function recover(directory: string): Promise<void> {
  const parent = dirname(directory);
  for (const name of await fs.readdir(parent)) {
    if (!name.startsWith(temporaryPrefix(directory))) continue;
    await fs.rm(join(parent, name), { recursive: true, force: true });
  }
  const previous = previousOf(directory);
  if (!(await isCheckpoint(directory)) && (await isCheckpoint(previous))) {
    // Someone may have made the directory anew; only an empty one makes way.
    if (await exists(directory)) await fs.rmdir(directory);
    await fs.rename(previous, directory);
  } else {
    await fs.rm(previous, { recursive: true, force: true });
  }
}

/** The names in a directory that a checkpoint may replace: none when it is missing or empty. */
async function checkReplaceable(directory: string): Promise<string[]> {
  if (!(await exists(directory))) return [];
  const entries = await fs.readdir(directory, { withFileTypes: true });
  if (entries.length > 0 && !entries.some(({ name }) => name === CONFIG_FILE)) {
    throw new UserError('it holds files but no checkpoint, so choose a new or empty folder');
  }
  const folder = entries.find((entry) => entry.isDirectory());
  if (folder) {
    throw new UserError(`it holds a folder, ${folder.name}, so move that or choose a new folder`);
  }
  return entries.map(({ name }) => name);
}

async function saveError(error: unknown, path: string): Promise<unknown> {
  const saved = await findCheckpoint(path).then(isCheckpoint, () => false);
  const state = saved ? 'the previous checkpoint is intact' : 'nothing was saved';
  const problem = `cannot save ${path}`;
  if (!(error instanceof UserError)) return asUserError(error, problem, state);
  // The system's own error says it more plainly than one that names a temporary file.
  if (errorCode(error.cause)) return asUserError(error.cause, problem, state);
  return new UserError(`${problem}: ${error.message}; ${state}`, { cause: error.cause });
}

function isCheckpoint(directory: string): Promise<boolean> {
  return exists(join(directory, CONFIG_FILE));
}

async function exists(path: string): Promise<boolean> {
  try {
    await fs.stat(path);
    return true;
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(errorCode(error) ?? '')) return false;
    throw error;
  }
}

/** Where a symbolic link points, if it is one; its target need not exist. */
async function followLink(path: string): Promise<string> {
  const target = () => fs.readlink(path).then((link) => resolve(dirname(path), link));
  return fs
    .realpath(path)
    .catch(target)
    .catch(() => resolve(path));
}

function previousOf(directory: string): string {
  return join(dirname(directory), `.${basename(directory)}.previous`);
}

function temporaryPrefix(directory: string): string {
  return `.${basename(directory)}.saving-`;
}
