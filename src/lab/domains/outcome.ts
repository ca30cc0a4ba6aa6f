/** What the experiment on domains is told, and what its jobs give. */
import { z } from 'zod';
import { jobNameSchema } from '../experiment.ts';
import { trainingJson } from '../training.ts';

export const domainsSchema = z
  .strictObject({
    /** The run of which the sources are asked, on problems that are held out, as its own evaluation is. */
    run: trainingJson,
    checkpoints: z
      .array(
        z.strictObject({
          name: jobNameSchema,
          /** The student before, a teacher, or the student after a round of distillation. */
          role: z.enum(['before', 'teacher', 'after']),
          /** Of a teacher: what it teaches. */
          domain: z.string().optional(),
          /** Relative to this file. */
          checkpoint: z.string(),
        }),
      )
      .min(1),
  })
  .refine(({ checkpoints }) => checkpoints.filter(({ role }) => role === 'before').length === 1, {
    message: 'checkpoints: give exactly one of role "before"',
  })
  .refine(({ checkpoints }) => ['teacher', 'after'].every((role) => has(checkpoints, role)), {
    message: 'checkpoints: give at least one of role "teacher", and one of role "after"',
  });

export type DomainsConfig = z.infer<typeof domainsSchema>;
export type JudgedCheckpoint = DomainsConfig['checkpoints'][number];

export interface DomainsOutcome {
  /** By domain, a character a problem: 1 where it was right. */
  answers: Record<string, string>;
}

function has(checkpoints: readonly { role: string }[], wanted: string): boolean {
  return checkpoints.some(({ role }) => role === wanted);
}
