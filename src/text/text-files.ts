/** What the text files of a checkpoint hold, wherever they are read from: tokenizer and chat template. */
import { UserError } from '../errors.ts';
import { ChatTemplate } from './chat-template.ts';
import { mimoChatTemplate } from './mimo-template.ts';
import { Tokenizer } from './tokenizer.ts';

const TOKENIZER = 'tokenizer.json';
export const TOKENIZER_CONFIG = 'tokenizer_config.json';
const CHAT_TEMPLATE = 'chat_template.jinja';

/** All that a checkpoint may have. */
export const textFileNames = [TOKENIZER, TOKENIZER_CONFIG, CHAT_TEMPLATE] as const;

export interface TextFiles {
  tokenizer: Tokenizer;
  chatTemplate: ChatTemplate;
}

/**
 * The tokenizer of a checkpoint and its chat template: `chat_template.jinja`, or else `chat_template`
 * in `tokenizer_config.json`, or else MiMo's.
 *
 * @param files their contents by name
 * @param directory where they come from, for messages
 * @throws {UserError} naming the file that is missing or wrong.
 */
export function textFilesFrom(
  files: Readonly<Record<string, string>>,
  directory: string,
): TextFiles {
  const path = `${directory}/${TOKENIZER}`;
  const text = files[TOKENIZER];
  if (text === undefined) {
    throw new UserError(`${path}: is missing; put the tokenizer.json of the model there`);
  }
  return {
    tokenizer: new Tokenizer(parseJson(text, path), path),
    chatTemplate: chatTemplateFrom(files, directory),
  };
}

function chatTemplateFrom(
  files: Readonly<Record<string, string>>,
  directory: string,
): ChatTemplate {
  const own = files[CHAT_TEMPLATE];
  if (own !== undefined) return new ChatTemplate(own, `${directory}/${CHAT_TEMPLATE}`);

  const configFile = `${directory}/${TOKENIZER_CONFIG}`;
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

function parseJson(text: string, path: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new UserError(`${path}: is not JSON: ${(error as Error).message}; fetch it again`, {
      cause: error,
    });
  }
}
