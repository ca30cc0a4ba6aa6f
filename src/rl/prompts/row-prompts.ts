/** Prompts of a JSONL file, again and again, in another order each time. */
import { createHash } from 'node:crypto';
import { basename } from 'node:path';
import { z } from 'zod';
import { describeIssue, parseConfig, text } from '../../config-fields.ts';
import { MalformedRows } from '../../data/malformed-rows.ts';
import { permutation } from '../../data/permutation.ts';
import { readRows } from '../../data/rows.ts';
import { UserError } from '../../errors.ts';
import { readJsonFile } from '../../json-file.ts';
import { Random } from '../../random.ts';
import { type Problem, type Split, splitOf } from '../../tasks/index.ts';
import { acceptsLastLine, acceptsNumber } from '../../tasks/verdict.ts';
import type { ChatMessage, Tool } from '../../text/chat-messages.ts';
import { type Rubric, rubricSchema } from '../judge/rubric.ts';
import type { PromptSource } from '../scheduler/types.ts';

export interface RowPromptsOptions {
  /** Of the source. */
  name: string;
  path: string;
  seed: string;
  /** Rows of the other split are never asked. */
  split: Split;
  /** Share of the attempts that may think, of rows that do not say it. */
  thinking: number;
  /** A JSON file, for rows with neither answer nor rubric. */
  rubric: string | undefined;
  /** Whether there is one who goes by rubrics. */
  hasJudge: boolean;
  /** Share of the rows. */
  maxMalformed: number;
  /** Where malformed rows are listed. */
  logPath: string;
}

/** @throws UserError if a file cannot be read, has nothing of the split, or too many malformed rows */
export async function rowPrompts(options: RowPromptsOptions): Promise<PromptSource> {
  const { name, path, seed, split, thinking, hasJudge } = options;
  const rubric = options.rubric === undefined ? null : await readRubric(options.rubric);
  const rows = (await readPrompts(options, rubric)).filter((row) => splitOf(keyOf(row)) === split);
  if (rows.length === 0) {
    throw new UserError(`${path}: has no prompts for ${split}; write more, one on each line`);
  }
  if (!hasJudge && rows.some((row) => row.rubric)) {
    throw new UserError(`${path}: has prompts with a rubric, and the run no "judge"; give it one`);
  }
  const hash = createHash('sha256').update(JSON.stringify({ seed, split, thinking }));
  for (const row of rows) hash.update(JSON.stringify(row));
  return {
    fingerprint: hash.digest('hex').slice(0, 16),
    async prompt(index) {
      const epoch = Math.floor(index / rows.length);
      const place = permutation(rows.length, `${seed} prompts ${epoch}`)(index % rows.length);
      const row = rows[place]!;
      const mayThink = new Random(`${seed} ${index}`, 'thinking').chance(thinking);
      const problem: Problem = {
        ...{ family: basename(path), key: keyOf(row), messages: row.messages },
        ...(row.tools && { tools: row.tools }),
        ...{ thinking: row.thinking ?? mayThink, solution: [], verify: verifierOf(row.answer) },
      };
      return { problem, cell: name, key: String(place), rubric: row.rubric };
    },
  };
}

async function readRubric(path: string): Promise<Rubric> {
  return parseConfig(rubricSchema, await readJsonFile(path), path);
}

interface PromptRow {
  messages: ChatMessage[];
  tools: readonly Tool[] | undefined;
  /** Undefined where the row leaves it open. */
  thinking: boolean | undefined;
  /** Of these, one. */
  answer: string | number | undefined;
  rubric: Rubric | null;
}

function keyOf({ messages }: PromptRow): string {
  return `chat ${JSON.stringify(messages)}`;
}

/** All prompts of a file, of both splits. */
async function readPrompts(
  { path, maxMalformed, logPath }: RowPromptsOptions,
  usual: Rubric | null,
): Promise<PromptRow[]> {
  const rows: PromptRow[] = [];
  const malformed = new MalformedRows(path, maxMalformed, logPath);
  for await (const row of readRows('jsonl', path, path)) {
    const read = 'columns' in row ? readPrompt(row.columns, usual) : row.problem;
    if (typeof read === 'string') malformed.add(row, read);
    else rows.push(read);
  }
  await malformed.finish(rows.length + malformed.count);
  return rows;
}

const messageSchema = z.looseObject({ role: z.string('is missing') });

const rowSchema = z
  .looseObject({
    prompt: text.optional(),
    messages: z.array(messageSchema, 'must be a list').min(1, 'must not be empty').optional(),
    tools: z.array(z.looseObject({}), 'must be a list').optional(),
    thinking: z.boolean('must be true or false').optional(),
    answer: z.union([z.string(), z.number()], 'must be a text or a number').optional(),
    rubric: rubricSchema.optional(),
  })
  .refine(({ prompt, messages }) => (prompt === undefined) !== (messages === undefined), {
    message: 'give either "prompt" or "messages"',
  })
  .refine(({ messages }) => messages === undefined || messages.at(-1)?.role === 'user', {
    message: '"messages" must end with a user’s',
  });

/** A prompt, or what is wrong with the row. */
function readPrompt(columns: Record<string, unknown>, usual: Rubric | null): PromptRow | string {
  const result = rowSchema.safeParse(columns, { reportInput: true });
  if (!result.success) return describeIssue(result.error.issues[0]!);
  const { prompt, messages, tools, thinking, answer, rubric: own } = result.data;
  const rubric = answer === undefined ? (own ?? usual) : null;
  if (answer === undefined ? !rubric : own) return 'give either "answer" or "rubric"';
  return {
    messages: (messages as ChatMessage[] | undefined) ?? [{ role: 'user', content: prompt! }],
    tools: tools as readonly Tool[] | undefined,
    ...{ thinking, answer, rubric },
  };
}

/** Of the last line. */
function verifierOf(answer: PromptRow['answer']): Problem['verify'] {
  if (typeof answer === 'number') return acceptsNumber(answer);
  if (answer !== undefined) return acceptsLastLine(answer.trim());
  return () => Promise.reject(new Error('the prompt has no verifier, but a rubric'));
}
