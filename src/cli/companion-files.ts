import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { asUserError, errorCode } from '../checkpoint/file-errors.ts';

/** Files that belong to a model besides its weights; a run's own state does not. */
const companions = ['tokenizer.json', 'tokenizer_config.json', 'chat_template.jinja', 'README.md'];

/** Those of a checkpoint's directory that are there. */
export async function companionFiles(directory: string): Promise<Record<string, Uint8Array>> {
  const files: Record<string, Uint8Array> = {};
  for (const name of companions) {
    const path = join(directory, name);
    try {
      files[name] = await readFile(path);
    } catch (error) {
      if (errorCode(error) !== 'ENOENT') throw asUserError(error, `cannot read ${path}`);
    }
  }
  return files;
}
