/**
 * Anyone's chats as prompts, from JSONL: `{"messages": […]}`, and perhaps `"tools"`, as in OpenAI's API, the
 * last message a user's. No program can judge what is answered, so a rubric goes with them.
 */
import { basename } from 'node:path';
import { z } from 'zod';
import { permutation } from '../../data/permutation.ts';
import { readRows } from '../../data/rows.ts';
import { UserError } from '../../errors.ts';
import { readJsonFile } from '../../json-file.ts';
import { hashText, Random } from '../../random.ts';
import { type Problem, type Split, splitOf } from '../../tasks/index.ts';
import type { ChatMessage, Tool } from '../../text/chat-messages.ts';
import { describeIssue } from '../../train/config.ts';
import { type Rubric, rubricSchema } from '../judge/rubric.ts';
import type { PromptSource } from '../scheduler/types.ts';

export interface ChatPromptOptions {
  /** Of the JSONL file, and of the rubric's JSON. */
  path: string;
  rubric: string;
  /** Share of the attempts that may think. */
  thinking: number;
  seed: number;
  split: Split;
}

const messageSchema = z.looseObject({ role: z.string('is missing') });
const rowSchema = z
  .looseObject({
    messages: z.array(messageSchema, 'must be a list').min(1, 'must not be empty'),
    tools: z.array(z.looseObject({}), 'must be a list').optional(),
  })
  .refine(({ messages }) => messages.at(-1)?.role === 'user', {
    message: 'must end with a user’s message',
  });

interface ChatRow {
  key: string;
  messages: ChatMessage[];
  tools?: readonly Tool[];
}

/**
 * Reads all chats of a split; those of the other are never asked.
 *
 * @throws UserError naming the file and the line that is malformed
 */
export async function chatPrompts(options: ChatPromptOptions): Promise<PromptSource> {
  const { path, seed, split, thinking } = options;
  const rubric = await readRubric(options.rubric);
  const rows = (await readChats(path)).filter(({ key }) => splitOf(key) === split);
  if (rows.length === 0) throw new UserError(`${path}: has no chat for ${split}; add more`);
  const contents = JSON.stringify([rows, rubric, seed, thinking]);
  return {
    fingerprint: String(hashText(contents)),
    async prompt(index) {
      const epoch = Math.floor(index / rows.length);
      const place = permutation(rows.length, `${seed} ${epoch}`)(index % rows.length);
      const row = rows[place]!;
      const mayThink = new Random(`${seed} ${index}`, 'thinking').chance(thinking);
      const problem = { ...problemOf(row, path), thinking: mayThink };
      return { problem, cell: basename(path), key: row.key, rubric };
    },
  };
}

async function readRubric(path: string): Promise<Rubric> {
  const result = rubricSchema.safeParse(await readJsonFile(path), { reportInput: true });
  if (result.success) return result.data;
  throw new UserError(`${path}: ${describeIssue(result.error.issues[0]!)}`);
}

async function readChats(path: string): Promise<ChatRow[]> {
  const rows: ChatRow[] = [];
  for await (const row of readRows('jsonl', path, path)) {
    if ('problem' in row) throw new UserError(`${row.place}: ${row.problem}`);
    const result = rowSchema.safeParse(row.columns, { reportInput: true });
    if (!result.success) {
      throw new UserError(`${row.place}: ${describeIssue(result.error.issues[0]!)}`);
    }
    const { messages, tools } = result.data as unknown as Omit<ChatRow, 'key'>;
    rows.push({ key: `chat ${JSON.stringify(messages)}`, messages, ...(tools && { tools }) });
  }
  return rows;
}

function problemOf({ key, messages, tools }: ChatRow, path: string): Problem {
  return {
    ...{ family: basename(path), key, messages, thinking: false, solution: [] },
    ...(tools && { tools }),
    verify: () => Promise.reject(new Error('a chat has no verifier, but a rubric')),
  };
}
