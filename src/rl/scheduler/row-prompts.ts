/** Prompts of a JSONL file, again and again, in another order each time. */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { MalformedRows } from '../../data/malformed-rows.ts';
import { permutation } from '../../data/permutation.ts';
import { readRows } from '../../data/rows.ts';
import { UserError } from '../../errors.ts';
import type { Problem } from '../../tasks/index.ts';
import { acceptsLastLine, acceptsNumber } from '../../tasks/verdict.ts';
import type { ChatMessage, Tool } from '../../text/chat-messages.ts';
import { type Rubric, rubricSchema } from '../judge/rubric.ts';
import type { Prompt, PromptSource } from './types.ts';

export interface RowPromptsOptions {
  /** Of the source. */
  name: string;
  path: string;
  seed: number | string;
  /** For rows that say nothing else. */
  rubric: Rubric | undefined;
  /** Share of the rows. */
  maxMalformed: number;
  /** Where malformed rows are listed. */
  logPath: string;
}

/** @throws UserError if the file cannot be read, has no prompts, or too many malformed rows */
export async function rowPrompts(options: RowPromptsOptions): Promise<PromptSource> {
  const { name, path, seed, rubric, maxMalformed, logPath } = options;
  const prompts: Prompt[] = [];
  const malformed = new MalformedRows(path, maxMalformed, logPath);
  const hash = createHash('sha256');
  for await (const row of readRows('jsonl', path, path)) {
    const made = 'columns' in row ? promptOf(row.columns, rubric) : { problem: row.problem };
    if ('problem' in made) {
      malformed.add(row, made.problem);
      continue;
    }
    hash.update(JSON.stringify('columns' in row && row.columns));
    prompts.push({ ...made.prompt, cell: name, key: String(prompts.length) });
  }
  await malformed.finish(prompts.length + malformed.count);
  if (prompts.length === 0) throw new UserError(`${path}: has no prompts; write one on each line`);
  return {
    fingerprint: JSON.stringify({ seed, rubric, rows: hash.digest('hex') }),
    async prompt(index) {
      const epoch = Math.floor(index / prompts.length);
      const order = permutation(prompts.length, `${seed} prompts ${epoch}`);
      return prompts[order(index % prompts.length)]!;
    },
  };
}

const messageSchema = z.looseObject({ role: z.string('is missing') });

const rowSchema = z
  .looseObject({
    prompt: z.string('must be a text').min(1, 'must not be empty').optional(),
    messages: z.array(messageSchema, 'must be a list').min(1, 'must not be empty').optional(),
    tools: z.array(z.looseObject({}), 'must be a list').optional(),
    thinking: z.boolean('must be true or false').default(false),
    answer: z.union([z.string(), z.number()], 'must be a text or a number').optional(),
    rubric: rubricSchema.optional(),
  })
  .refine(({ prompt, messages }) => (prompt === undefined) !== (messages === undefined), {
    message: 'give either "prompt" or "messages"',
  })
  .refine(({ messages }) => messages === undefined || messages.at(-1)!.role === 'user', {
    message: '"messages" must end with a user’s',
  });

type Made = { prompt: Pick<Prompt, 'problem' | 'rubric'> } | { problem: string };

function promptOf(columns: Record<string, unknown>, usual: Rubric | undefined): Made {
  const result = rowSchema.safeParse(columns);
  if (!result.success) {
    const { path, message } = result.error.issues[0]!;
    return { problem: [path.join('.'), message].filter(Boolean).join(' ') };
  }
  const { prompt, messages, tools, thinking, answer, rubric } = result.data;
  const judgedBy = answer === undefined ? (rubric ?? usual) : undefined;
  if (answer === undefined && !judgedBy) return { problem: 'give either "answer" or "rubric"' };
  if (answer !== undefined && rubric) return { problem: 'give either "answer" or "rubric"' };
  const problem: Problem = {
    family: 'rows',
    key: null,
    messages: (messages as ChatMessage[] | undefined) ?? [{ role: 'user', content: prompt! }],
    ...(tools && { tools: tools as unknown as Tool[] }),
    thinking,
    solution: [],
    verify: verifierOf(answer),
  };
  return { prompt: { problem, rubric: judgedBy ?? null } };
}

/** Of the last line; where a judge decides, it is not asked. */
function verifierOf(answer: string | number | undefined): Problem['verify'] {
  if (typeof answer === 'number') return acceptsNumber(answer);
  if (answer !== undefined) return acceptsLastLine(answer.trim());
  return async () => ({ correct: false, reason: 'only a judge can tell' });
}
