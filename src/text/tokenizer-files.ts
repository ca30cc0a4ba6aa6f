/** Reads and writes the text files of a checkpoint: the tokenizer and the chat template. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { UserError } from '../errors.ts';
import { ChatTemplate } from './chat-template.ts';
import { mimoChatTemplate } from './mimo-template.ts';
import { Tokenizer } from './tokenizer.ts';
import { type TokenizerJson, tokenizerConfigJson } from './tokenizer-json.ts';

const TOKENIZER = 'tokenizer.json';
export const TOKENIZER_CONFIG = 'tokenizer_config.json';
const CHAT_TEMPLATE = 'chat_template.jinja';

export interface TextFiles {
  tokenizer: Tokenizer;
  chatTemplate: ChatTemplate;
}

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
  for (const name of [TOKENIZER, TOKENIZER_CONFIG, CHAT_TEMPLATE]) {
    const text = await readIfPresent(join(directory, name));
    if (text !== undefined) files[name] = text;
  }
  return files;
}

/**
 * The same from contents by file name.
 *
 * @param directory where they come from, for messages
 */
export function textFilesFrom(
  files: Readonly<Record<string, string>>,
  directory: string,
): TextFiles {
  const path = join(directory, TOKENIZER);
  const text = files[TOKENIZER];
  if (text === undefined) {
    throw new UserError(`${path}: is missing; put the tokenizer.json of the model there`);
  }
  return {
    tokenizer: new Tokenizer(parseJson(text, path), path),
    chatTemplate: chatTemplateFrom(files, directory),
  };
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
  await writeFile(join(directory, TOKENIZER), `${JSON.stringify(tokenizer, null, 1)}\n`);
  await writeFile(join(directory, TOKENIZER_CONFIG), `${JSON.stringify(config, null, 2)}\n`);
  await writeFile(join(directory, CHAT_TEMPLATE), chatTemplate);
}

function chatTemplateFrom(
  files: Readonly<Record<string, string>>,
  directory: string,
): ChatTemplate {
  const own = files[CHAT_TEMPLATE];
  if (own !== undefined) return new ChatTemplate(own, join(directory, CHAT_TEMPLATE));

  const configFile = join(directory, TOKENIZER_CONFIG);
  const config = files[TOKENIZER_CONFIG];
  const inConfig = config === undefined ? undefined : templateIn(parseJson(config, configFile));
  return inConfig === undefined
    ? new ChatTemplate(mimoChatTemplate(), 'the built-in chat template')
    : new ChatTemplate(inConfig, `${configFile}: chat_template`);
}

/** `chat_template` is the text itself, or a list of named ones. */
function templateIn(config: unknown): string | undefined {
  const field = (config as { chat_template?: unknown } | null)?.chat_template;
  if (typeof field === 'string') return field;
  if (!Array.isArray(field)) return undefined;
  const named = field.find((entry) => entry?.name === 'default');
  return typeof named?.template === 'string' ? named.template : undefined;
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

function parseJson(text: string, path: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new UserError(`${path}: is not JSON: ${(error as Error).message}; fetch it again`, {
      cause: error,
    });
  }
}
