/** What the experiment on acceptance is told, and what its jobs give. */
import { z } from 'zod';
import { familyNames, LEVELS } from '../../tasks/index.ts';
import type { Acceptance } from './measure.ts';

const count = z.int().min(1);

export const acceptanceSchema = z.strictObject({
  /** A checkpoint with MTP heads; relative to this file. */
  checkpoint: z.string(),
  families: z.array(z.enum([...familyNames])).min(1),
  levels: z.array(z.enum([...LEVELS])).min(1),
  /** Of each family and level. */
  problems: count,
  temperature: z.number().min(0),
  /** Most tokens of an answer. */
  maxTokens: count,
  /** Time of steps with and without drafts, after contexts of `length` tokens. */
  speed: z.strictObject({
    sequences: z.array(count).min(1),
    length: count,
    /** For which each is timed. */
    seconds: z.number().positive(),
  }),
});

export type AcceptanceConfig = z.infer<typeof acceptanceSchema>;

export type AcceptanceOutcome =
  | { kind: 'family'; levels: ({ level: string } & Acceptance)[]; heads: number }
  | { kind: 'speed'; steps: StepTimes[] };

/** Of one step of all sequences. */
export interface StepTimes {
  sequences: number;
  plainMilliseconds: number;
  draftMilliseconds: number;
}
