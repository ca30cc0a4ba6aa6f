/** Makes documents of rows: from the usual columns, or from any by a pattern for each part. */
import { z } from 'zod';
import type { ChatMessage, Tool } from '../text/chat-messages.ts';
import type { TrainingDocument } from './documents.ts';

/**
 * How a row becomes a document: either `text`, or a chat of one turn. Each is a pattern in which
 * `{column}` stands for a column's value, as in `"{question}"`.
 */
export interface Fields {
  text?: string | undefined;
  system?: string | undefined;
  user?: string | undefined;
  reasoning?: string | undefined;
  assistant?: string | undefined;
}

export type Made = { document: TrainingDocument } | { problem: string };

/**
 * @param fields left out, the row has `text`, or `messages` (and `tools`) as in OpenAI's API
 * @param learn which tokens of a chat are learnt
 */
export function documentOf(
  columns: Readonly<Record<string, unknown>>,
  fields: Fields | undefined,
  learn: 'all' | 'answers',
): Made {
  return fields ? fromFields(columns, fields, learn) : fromColumns(columns, learn);
}

function fromFields(
  columns: Readonly<Record<string, unknown>>,
  { text, system, user, reasoning, assistant }: Fields,
  learn: 'all' | 'answers',
): Made {
  const missing: string[] = [];
  const fill = (pattern: string) =>
    pattern.replaceAll(/\{([^{}]+)\}/g, (_, name: string) => {
      const value = columns[name];
      if (typeof value === 'string' || typeof value === 'number' || typeof value === 'bigint') {
        return String(value);
      }
      missing.push(name);
      return '';
    });
  const filled = (pattern: string | undefined) => (pattern === undefined ? '' : fill(pattern));
  const document: TrainingDocument =
    text !== undefined
      ? { kind: 'text', text: fill(text) }
      : {
          kind: 'chat',
          messages: [
            ...(system !== undefined ? [{ role: 'system', content: fill(system) }] : []),
            { role: 'user', content: filled(user) },
            {
              role: 'assistant',
              content: filled(assistant),
              ...(reasoning !== undefined && { reasoning_content: fill(reasoning) }),
            },
          ],
          thinking: reasoning !== undefined,
          learn,
        };
  if (missing.length > 0) return { problem: `has no text or number in column "${missing[0]}"` };
  if (document.kind === 'text' && document.text === '') return { problem: 'has an empty text' };
  return { document };
}

const messageSchema = z.looseObject({
  role: z.string('is missing; give "system", "user", "assistant" or "tool"'),
});
const rowSchema = z
  .looseObject({
    text: z.string('must be a string').min(1, 'must not be empty').nullish(),
    messages: z.array(messageSchema, 'must be a list').min(1, 'must not be empty').nullish(),
    tools: z.array(z.looseObject({}), 'must be a list').nullish(),
  })
  .refine(({ text, messages }) => (text == null) !== (messages == null), {
    message: 'give either "text" or "messages", or say in "fields" what its columns are',
  });

function fromColumns(columns: Readonly<Record<string, unknown>>, learn: 'all' | 'answers'): Made {
  const result = rowSchema.safeParse(columns);
  if (!result.success) {
    const { path, message } = result.error.issues[0]!;
    return { problem: [path.join('.'), message].filter(Boolean).join(' ') };
  }
  const { text, messages, tools } = result.data;
  if (typeof text === 'string') return { document: { kind: 'text', text } };
  const chat = messages as unknown as ChatMessage[];
  if (learn === 'answers' && !chat.some(({ role }) => role === 'assistant')) {
    return { problem: 'has no assistant’s message to learn; add one or remove the row' };
  }
  return {
    document: {
      kind: 'chat',
      messages: chat,
      thinking: chat.some((message) => message.reasoning_content),
      ...(tools && { tools: tools as unknown as Tool[] }),
      learn,
    },
  };
}
