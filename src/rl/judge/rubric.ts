/** What a judge goes by where no program can tell: criteria with weights, as a small JSON. */
import { z } from 'zod';
import { count, positive } from '../../config-fields.ts';

const text = z.string('must be a text').trim().min(1, 'must not be empty');

export const rubricSchema = z
  .strictObject({
    /** What the answer is for, in a sentence or two. */
    task: text,
    criteria: z
      .array(
        z.strictObject({
          /** What its score is called in the judge's answer. */
          name: z.string().regex(/^[a-z][a-z0-9_]*$/, 'must be like "keeps_the_secret"'),
          /** What a full score takes. */
          description: text,
          weight: positive.default(1),
        }),
        'must be a list',
      )
      .min(1, 'must not be empty'),
    /** Scores are whole numbers from 0 to this. */
    highest: count.default(10),
    /** Share of all points that counts as passed. */
    pass: z.number('must be a number').min(0).max(1).default(0.5),
  })
  .refine(({ criteria }) => new Set(criteria.map(({ name }) => name)).size === criteria.length, {
    message: 'two criteria have one name',
  });

export type Rubric = z.infer<typeof rubricSchema>;
