/**
 * Files that are either the old one or the whole new one, whenever the process or the machine
 * stops: bytes go to a temporary file beside the target, are flushed to the disk, and then take the
 * target's name in one step.
 */
import { randomUUID } from 'node:crypto';
import fs from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { asUserError, errorCode } from './file-errors.ts';

/**
 * Writes or replaces a file; its folder must exist.
 *
 * @throws UserError when the system refuses (disk full, no permission …); the previous file is then
 *   intact and nothing is left behind
 */
export async function atomicWriteFile(path: string, data: string | Uint8Array): Promise<void> {
  const file = await AtomicFile.create(path);
  try {
    await file.write(typeof data === 'string' ? new TextEncoder().encode(data) : data, 0);
    await file.commit();
  } catch (error) {
    await file.discard();
    throw error;
  }
}

/** The system writes no more than 2 GiB at a time. */
const MAX_WRITE = 2 ** 30;

/** A file under construction. End with `commit`, or with `discard` when anything threw. */
export class AtomicFile {
  readonly path: string;
  readonly #temporaryPath: string;
  readonly #handle: fs.FileHandle;

  /** @throws UserError when no file can be made in the folder */
  static async create(path: string): Promise<AtomicFile> {
    const temporaryPath = join(dirname(path), `.${basename(path)}.${randomUUID()}.tmp`);
    try {
      return new AtomicFile(path, temporaryPath, await fs.open(temporaryPath, 'wx'));
    } catch (error) {
      throw await writeError(error, path);
    }
  }

  private constructor(path: string, temporaryPath: string, handle: fs.FileHandle) {
    this.path = path;
    this.#temporaryPath = temporaryPath;
    this.#handle = handle;
  }

  /** Writes `bytes` at `position`, in any order of positions. */
  async write(bytes: Uint8Array, position: number): Promise<void> {
    try {
      let done = 0;
      while (done < bytes.byteLength) {
        const length = Math.min(bytes.byteLength - done, MAX_WRITE);
        done += (await this.#handle.write(bytes, done, length, position + done)).bytesWritten;
      }
    } catch (error) {
      throw await writeError(error, this.path);
    }
  }

  /** Makes the file the one at `path`. */
  async commit(): Promise<void> {
    try {
      await this.#handle.sync();
      await this.#handle.close();
      await fs.rename(this.#temporaryPath, this.path);
    } catch (error) {
      throw await writeError(error, this.path);
    }
    await flushToDisk(dirname(this.path));
  }

  /** Removes what was written. Never throws, for the error that led here says more. */
  async discard(): Promise<void> {
    await this.#handle.close().catch(() => {});
    await fs.rm(this.#temporaryPath, { force: true }).catch(() => {});
  }
}

/**
 * Flushes a file, or a folder's list of names so that a rename outlives a power cut. Best effort:
 * some systems cannot, and what was done is done either way.
 */
export async function flushToDisk(path: string): Promise<void> {
  try {
    const handle = await fs.open(path);
    await handle.sync().finally(() => handle.close());
  } catch (error) {
    if (errorCode(error) === undefined) throw error;
  }
}

async function writeError(error: unknown, path: string): Promise<unknown> {
  const existed = await fs.stat(path).then(
    () => true,
    () => false,
  );
  const state = existed ? 'the previous file is intact' : 'nothing was written';
  return asUserError(error, `cannot write ${path}`, state);
}
