/** What an entry of a run's `prompts` may say. */
import { z } from 'zod';
import { taskFields } from '../../data/data-config.ts';
import { rubricSchema } from '../judge/rubric.ts';

const text = z.string('must be a text').min(1, 'must not be empty');
const TASK_KEYS = Object.keys(taskFields) as (keyof typeof taskFields)[];
const share = z.number('must be a number').min(0, 'must be 0 or more').max(1, 'must be 1 or less');

/** Prompts of the task families or of a file, and how they are to be sampled. */
export const promptSourceSchema = z
  .strictObject({
    /** Unique in a run; appears in figures and names of sequences. */
    name: text,
    /** Which teacher and which figures its sequences belong to. */
    domain: text,

    /** Problems of the task families: those to learn from, or those held out. */
    tasks: z.enum(['train', 'test'], 'must be "train" or "test"').optional(),
    ...taskFields,

    /**
     * A file with a prompt on each line: `messages` (or `prompt`, a text), perhaps `tools` and `thinking`,
     * and either `answer`, what the last line is to be, or `rubric`.
     */
    jsonl: text.optional(),
    /** With `jsonl`: for rows that have neither `answer` nor `rubric`. */
    rubric: rubricSchema.optional(),
    /** With `jsonl`: share of the rows that may be malformed. */
    maxMalformed: share.default(0.01),

    /** Share of all groups, relative to the other sources'. */
    quota: z.number('must be a number').positive('must be more than 0').default(1),
    /** The highest is sampled and rewarded first. */
    priority: z.number('must be a number').default(0),
    /** Most tokens that a sequence may sample, over all its turns. */
    maxTokens: z.int('must be a whole number').min(1, 'must be 1 or more'),
    temperature: z.number('must be a number').min(0, 'must be 0 or more').default(1),
    /** Groups with another share of passes are replaced. */
    passRate: z
      .tuple([share, share], 'must be [lowest, highest]')
      .refine(([low, high]) => low <= high, { message: 'the first is above the second' })
      .default([0, 1]),
  })
  .refine(({ tasks, jsonl }) => (tasks === undefined) !== (jsonl === undefined), {
    message: 'give one of "tasks" and "jsonl"',
  })
  .refine(({ jsonl, rubric }) => jsonl !== undefined || rubric === undefined, {
    message: '"rubric" goes with "jsonl"',
  })
  .refine(
    (entry) => entry.tasks !== undefined || TASK_KEYS.every((key) => entry[key] === undefined),
    {
      message: `${TASK_KEYS.map((key) => `"${key}"`).join(', ')} go with "tasks"`,
    },
  );

export type PromptSourceConfig = z.infer<typeof promptSourceSchema>;
