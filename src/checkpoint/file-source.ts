/** A file on disk, read in ranges. */
import fs from 'node:fs/promises';
import { UserError } from '../errors.ts';
import type { ByteSource } from './byte-source.ts';
import { asUserError } from './file-errors.ts';

/** The system reads no more than 2 GiB at a time. */
const MAX_READ = 2 ** 30;

/**
 * Opens a file for reading; nothing is read yet. `close` it when done.
 *
 * @throws UserError when the file is missing or cannot be read, then and in every `read`
 */
export async function openFileSource(path: string): Promise<ByteSource> {
  const failed = (error: unknown) => asUserError(error, `cannot read ${path}`);
  const handle = await fs.open(path).catch((error) => {
    throw failed(error);
  });
  const { size } = await handle.stat();
  return { name: path, byteLength: size, read, close: () => handle.close() };

  async function read(offset: number, length: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(length);
    let done = 0;
    while (done < length) {
      const wanted = Math.min(length - done, MAX_READ);
      const { bytesRead } = await handle.read(bytes, done, wanted, offset + done).catch((error) => {
        throw failed(error);
      });
      if (bytesRead === 0) throw new UserError(`${path}: became shorter while it was being read`);
      done += bytesRead;
    }
    return bytes;
  }
}
