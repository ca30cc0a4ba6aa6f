/** What an entry of a run's `data` may say. */
import { z } from 'zod';
import { count, natural, positive, share, text } from '../config-fields.ts';
import { familyNames, LEVELS } from '../tasks/index.ts';
import { isUrl } from './download.ts';

const fieldsSchema = z
  .strictObject({
    text: text.optional(),
    system: text.optional(),
    user: text.optional(),
    reasoning: text.optional(),
    assistant: text.optional(),
  })
  .refine(
    ({ text, user, assistant }) =>
      text !== undefined
        ? user === undefined && assistant === undefined
        : user !== undefined && assistant !== undefined,
    { message: 'give either "text", or "user" and "assistant"' },
  );

/** Which problems of the task families; in `data` they go with `tasks`. */
export const taskFields = {
  /** Families by name and their weights. */
  families: z
    .partialRecord(z.enum([...familyNames], known(familyNames)), natural)
    .refine(hasWeight, 'gives no family a weight')
    .optional(),
  /** Levels and their weights. */
  levels: z
    .partialRecord(z.enum([...LEVELS], known(LEVELS)), natural)
    .refine(hasWeight, 'gives no level a weight')
    .optional(),
  /** Fewest and most tokens of the prompts of long-context families. */
  tokens: z
    .tuple([count, count], 'must be [fewest, most]')
    .refine(([fewest, most]) => fewest <= most, { message: 'the first is above the second' })
    .optional(),
  /** Share of problems in Chinese, and of those with thinking. */
  chinese: share.optional(),
  thinking: share.optional(),
};

/** Exactly one of these: documents of one kind, and how much of the mixture they are. */
export const dataSchema = z
  .strictObject({
    /** Problems of the task families: those to learn from, or those held out. */
    tasks: z.enum(['train', 'test'], 'must be "train" or "test"').optional(),
    /** A file or URL with a JSON object on each line. */
    jsonl: text.optional(),
    /** A plain-text file or URL; documents are separated by `<|endoftext|>`. */
    text: text.optional(),
    /** A Parquet file or URL. */
    parquet: text.optional(),
    /** Share of the samples, relative to the others'. */
    weight: positive.default(1),
    /** In chats, whether all tokens are learnt or only what an assistant wrote. */
    learn: z.enum(['all', 'answers'], 'must be "all" or "answers"').default('answers'),

    /** With `jsonl` and `parquet`: how a row's columns become a text or a chat. */
    fields: fieldsSchema.optional(),
    /** With files: share of the rows that may be malformed. */
    maxMalformed: share.default(0.01),

    ...taskFields,
  })
  .refine(
    ({ tasks, jsonl, text, parquet }) =>
      [tasks, jsonl, text, parquet].filter((value) => value !== undefined).length === 1,
    { message: 'give one of "tasks", "jsonl", "text" and "parquet"' },
  )
  .refine(
    (entry) => entry.tasks !== undefined || TASK_KEYS.every((key) => entry[key] === undefined),
    {
      message: `${quoted(['families', 'levels', 'tokens', 'chinese', 'thinking'])} go with "tasks"`,
    },
  )
  .refine(({ fields, tasks, text }) => fields === undefined || (tasks ?? text) === undefined, {
    message: '"fields" goes with "jsonl" and "parquet"',
  });

export type DataConfig = z.infer<typeof dataSchema>;

const TASK_KEYS = ['families', 'levels', 'tokens', 'chinese', 'thinking'] as const;
const FILE_KEYS = ['jsonl', 'text', 'parquet'] as const;

/** The entry with the paths in it changed; URLs stay as they are. */
export function withPaths(entry: DataConfig, change: (path: string) => string): DataConfig {
  const changed = FILE_KEYS.flatMap((key) => {
    const location = entry[key];
    return location === undefined ? [] : [[key, isUrl(location) ? location : change(location)]];
  });
  return { ...entry, ...Object.fromEntries(changed) };
}

function hasWeight(weights: Readonly<Record<string, number | undefined>>): boolean {
  return Object.values(weights).some((weight) => (weight ?? 0) > 0);
}

function known(names: readonly string[]): string {
  return `must be one of ${names.join(', ')}`;
}

function quoted(names: readonly string[]): string {
  return names.map((name) => `"${name}"`).join(', ');
}
