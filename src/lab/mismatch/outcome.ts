/** What the experiment on the mismatch is told, and what its jobs give. */
import { z } from 'zod';
import type { MismatchFigures } from '../../rl/trainer/policy-figures.ts';
import { jobNameSchema } from '../experiment.ts';
import { policyFields } from '../policy.ts';

const formatSchema = z.strictObject({
  name: jobNameSchema,
  /** As in a run. */
  rolloutWeights: z.enum(['shared', '8-bit', '4-bit']),
  rolloutCache: z.enum(['f32', 'f16', 'i8']),
  drafts: z.int().min(0).optional(),
});

export const mismatchSchema = z
  .strictObject({
    ...policyFields,
    policy: z.looseObject({ schedule: z.looseObject({}) }),
    /** What rollouts compute with, one after another. */
    formats: z.array(formatSchema).min(1),
    /** Runs with the replay of routes and without, whose rollouts are in one of the formats. */
    training: z.strictObject({ format: jobNameSchema, seeds: z.array(z.int().min(0)).min(1) }),
  })
  .refine(({ formats, training }) => formats.some(({ name }) => name === training.format), {
    message: 'training.format must be the name of one of "formats"',
  });

export type MismatchConfig = z.infer<typeof mismatchSchema>;
export type Format = MismatchConfig['formats'][number];

export type MismatchOutcome = FormatOutcome | RunOutcome;

/** Of a batch that the weights drew that score it: nothing was trained in between. */
export interface FormatOutcome {
  kind: 'format';
  sequences: number;
  acceptanceLength: number | null;
  replayed: MismatchFigures;
  /** With the trainer's own routes. */
  own: MismatchFigures;
}

export interface RunOutcome {
  kind: 'run';
  curve: RunPoint[];
  /** Mean over sources of the share of right answers, by step. */
  accuracy: [step: number, share: number][];
}

export interface RunPoint {
  step: number;
  reward: number;
  klPositive: number;
  /** Share of tokens. */
  gated: number;
  largestGap: number;
}

export function formatJobName({ name }: Format): string {
  return `format-${name}`;
}

export function runJobName(replay: boolean, seed: number): string {
  return `${replay ? 'with' : 'without'}-replay-seed-${seed}`;
}

/** What the gate of equation 8 drops by default. */
export function gatedShare({ below, above }: MismatchFigures): number {
  return below + above;
}
