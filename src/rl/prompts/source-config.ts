/** What an entry of a run's `sources` may say: what is asked, and how it is sampled. */
import { z } from 'zod';
import { count, positive, share, text } from '../../config-fields.ts';
import { taskFields } from '../../data/data-config.ts';
import { DOMAINS } from '../../tasks/index.ts';

const OF_TASKS = ['levels', 'tokens', 'chinese'] as const;

/** Problems of the task families, or the prompts of a file. */
export const promptSourceSchema = z
  .strictObject({
    /** Which teacher and which figures its sequences belong to. */
    domain: text,
    /** If a domain has several sources. */
    name: text.optional(),

    /** `families` are by default those of the domain. `thinking` goes with files too. */
    ...taskFields,

    /**
     * In place of tasks: a JSONL file with a prompt on each line, `messages` (or `prompt`, a text), perhaps
     * `tools` and `thinking`, and either `answer`, what the last line is to be, or `rubric`.
     */
    prompts: text.optional(),
    /** With `prompts`: a JSON file with what the judge goes by where a line has neither. */
    rubric: text.optional(),
    /** With `prompts`: share of the lines that may be malformed. */
    maxMalformed: share.default(0.01),

    /** Share of the groups, relative to the other sources'. */
    quota: positive.default(1),
    /** The highest is sampled and rewarded first. */
    priority: z.number('must be a number').default(0),
    /** Most tokens that a sequence samples, over all its turns. */
    maxTokens: count,
    temperature: positive.default(1),
    /** Groups with another share of right answers are replaced. */
    passRate: z
      .tuple([share, share], 'must be [lowest, highest]')
      .refine(([low, high]) => low <= high, { message: 'the first is above the second' })
      .default([0, 1]),
  })
  .refine(({ prompts, families }) => prompts === undefined || families === undefined, {
    message: '"families" and "prompts" are two sources; make two of them',
  })
  .refine(
    (entry) => entry.prompts === undefined || OF_TASKS.every((key) => entry[key] === undefined),
    { message: `${OF_TASKS.map((key) => `"${key}"`).join(', ')} do not go with "prompts"` },
  )
  .refine(({ prompts, rubric }) => prompts !== undefined || rubric === undefined, {
    message: '"rubric" goes with "prompts"',
  })
  .refine(({ domain, families, prompts }) => families ?? prompts ?? familiesOf(domain), {
    message: `"families" is missing; only these domains have their own: ${Object.keys(DOMAINS).join(', ')}`,
  })
  .transform((entry) => {
    const { domain, name = domain, prompts, families } = entry;
    const own = prompts === undefined ? familiesOf(domain)! : undefined;
    return { ...entry, name, families: families ?? own };
  });

export type PromptSourceConfig = z.output<typeof promptSourceSchema>;

/** Evenly; null for a domain of somebody's own. */
function familiesOf(domain: string): Record<string, number> | null {
  const names = Object.hasOwn(DOMAINS, domain) ? DOMAINS[domain]! : null;
  return names && Object.fromEntries(names.map((name) => [name, 1]));
}
