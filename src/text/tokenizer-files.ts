/** Reads and writes the text files of a checkpoint: the tokenizer and the chat template. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { UserError } from '../errors.ts';
import { type TextFiles, textFileNames, textFilesFrom } from './text-files.ts';
import { type TokenizerJson, tokenizerConfigJson } from './tokenizer-json.ts';

/**
 * Loads the tokenizer of a checkpoint and its chat template: `chat_template.jinja`, or else
 * `chat_template` in `tokenizer_config.json`, or else MiMo's.
 *
 * @throws {UserError} naming the file that is missing or wrong.
 */
export async function loadTextFiles(directory: string): Promise<TextFiles> {
  return textFilesFrom(await readTextFiles(directory), directory);
}

/** The contents of those files that are there, by name. */
export async function readTextFiles(directory: string): Promise<Record<string, string>> {
  const files: Record<string, string> = {};
  for (const name of textFileNames) {
    const text = await readIfPresent(join(directory, name));
    if (text !== undefined) files[name] = text;
  }
  return files;
}

/** Writes the three files, for our own readers and for anyone's. `maxPositions` is in tokens. */
export async function writeTextFiles(
  directory: string,
  tokenizer: TokenizerJson,
  chatTemplate: string,
  maxPositions: number,
): Promise<void> {
  const config = tokenizerConfigJson(chatTemplate, maxPositions);
  await mkdir(directory, { recursive: true });
  await writeFile(join(directory, 'tokenizer.json'), `${JSON.stringify(tokenizer, null, 1)}\n`);
  await writeFile(join(directory, 'tokenizer_config.json'), `${JSON.stringify(config, null, 2)}\n`);
  await writeFile(join(directory, 'chat_template.jinja'), chatTemplate);
}

async function readIfPresent(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return undefined;
    throw new UserError(`${path}: cannot be read: ${message}`, { cause: error });
  }
}
