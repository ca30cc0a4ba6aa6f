/** Training documents from files: JSONL with one text or chat a line, and plain text. */
import fs from 'node:fs/promises';
import { z } from 'zod';
import { asUserError } from '../checkpoint/file-errors.ts';
import { UserError } from '../errors.ts';
import { Random } from '../random.ts';
import type { ChatMessage, Tool } from '../text/chat-messages.ts';
import type { ChatTemplate } from '../text/chat-template.ts';
import { PADDING } from '../text/tokenizer-json.ts';
import { type DocumentSource, documentText, type TrainingDocument } from './documents.ts';

export interface FileSourceOptions {
  path: string;
  /** Of the order of documents, which is another one in each epoch. */
  seed: number;
}

/**
 * A JSONL file; each line `{"text": …}` or `{"messages": […], "tools": […]}`, with OpenAI's messages.
 * A chat is rendered with thinking on if one of its assistant's messages has `reasoning_content`. The
 * file is held in memory, and all of it is checked at once.
 *
 * @throws UserError naming the file and the first line that is broken
 */
export async function jsonlSource(
  options: FileSourceOptions & { learn: 'all' | 'answers' },
  template: ChatTemplate,
): Promise<DocumentSource> {
  const { path, learn } = options;
  const documents: TrainingDocument[] = [];
  const places: string[] = [];
  (await readText(path)).split('\n').forEach((line, i) => {
    if (line.trim() === '') return;
    const place = `${path}:${i + 1}`;
    documents.push(parseLine(line, place, learn));
    places.push(place);
  });
  return epochs(options, documents, places, template);
}

/**
 * A plain-text file: documents separated by `<|endoftext|>`, or one document. The file is held in
 * memory.
 *
 * @throws UserError if it cannot be read or holds no text
 */
export async function textSource(
  options: FileSourceOptions,
  template: ChatTemplate,
): Promise<DocumentSource> {
  const { path } = options;
  const texts = (await readText(path)).split(PADDING).map((text) => text.trim());
  const documents = texts.flatMap((text): TrainingDocument[] =>
    text === '' ? [] : [{ kind: 'text', text }],
  );
  const places = documents.map((_, i) => `${path}, document ${i + 1}`);
  return epochs(options, documents, places, template);
}

/** Gives the documents in a new order in each epoch; the order depends on seed and epoch only. */
function epochs(
  { path, seed }: FileSourceOptions,
  documents: readonly TrainingDocument[],
  places: readonly string[],
  template: ChatTemplate,
): DocumentSource {
  const count = documents.length;
  if (count === 0) throw new UserError(`${path}: holds no documents; add some or leave it out`);
  const numbers = documents.map((_, i) => i);
  let [epoch, order] = [-1, numbers];
  const numberOf = (index: number): number => {
    const wanted = Math.floor(index / count);
    if (wanted !== epoch) {
      epoch = wanted;
      order = new Random(seed, `epoch ${epoch}`).shuffle(numbers);
    }
    return order[index % count]!;
  };
  return {
    where: (index) => places[numberOf(index)]!,
    document: async (index) => documents[numberOf(index)]!,
    async *corpus(wanted) {
      for (let i = 0; i < Math.min(wanted, count); i++) {
        yield documentText(template, documents[numberOf(i)]!);
      }
    },
  };
}

const messageSchema = z.looseObject({
  role: z.string('is missing; give "system", "user", "assistant" or "tool"'),
});
const lineSchema = z
  .strictObject({
    text: z.string('must be a string').min(1, 'must not be empty').optional(),
    messages: z.array(messageSchema, 'must be a list').min(1, 'must not be empty').optional(),
    tools: z.array(z.looseObject({}), 'must be a list').optional(),
  })
  .refine(({ text, messages }) => (text === undefined) !== (messages === undefined), {
    message: 'give either "text" or "messages"',
  });

function parseLine(line: string, place: string, learn: 'all' | 'answers'): TrainingDocument {
  let json: unknown;
  try {
    json = JSON.parse(line);
  } catch {
    throw new UserError(`${place}: is not JSON; correct or remove the line`);
  }
  const result = lineSchema.safeParse(json);
  if (!result.success) {
    const { path, message } = result.error.issues[0]!;
    throw new UserError(`${place}: ${[path.join('.'), message].filter(Boolean).join(' ')}`);
  }
  const { text, messages, tools } = result.data;
  if (text !== undefined) return { kind: 'text', text };
  const chat = messages as unknown as ChatMessage[];
  if (learn === 'answers' && !chat.some(({ role }) => role === 'assistant')) {
    throw new UserError(
      `${place}: has no assistant's message to learn; add one or remove the line`,
    );
  }
  return {
    kind: 'chat',
    messages: chat,
    thinking: chat.some((message) => message.reasoning_content),
    ...(tools && { tools: tools as unknown as Tool[] }),
    learn,
  };
}

async function readText(path: string): Promise<string> {
  try {
    return await fs.readFile(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ERR_STRING_TOO_LONG') {
      throw new UserError(
        `${path}: is too large to be held in memory; split it into several files`,
      );
    }
    throw asUserError(error, `cannot read ${path}`);
  }
}
