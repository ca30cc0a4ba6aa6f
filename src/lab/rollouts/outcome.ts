/** What the experiment on rollouts is told, and what its jobs give. */
import { z } from 'zod';
import { jobNameSchema } from '../experiment.ts';
import { policyFields } from '../policy.ts';
import type { TrainingJson } from '../training.ts';

const variantSchema = z.strictObject({
  name: jobNameSchema,
  /** As in a run: by default all heads. */
  drafts: z.int().min(0).optional(),
  /** As in a run's schedule; with 0 a step waits for the slowest of its sequences. */
  groupsAhead: z.int().min(0).optional(),
});

export const rolloutsSchema = z
  .strictObject({
    ...policyFields,
    policy: z.looseObject({ steps: z.int().min(2), schedule: z.looseObject({}) }),
    variants: z.array(variantSchema).min(1),
    /** Steps that do not count: kernels are compiled, and nothing is carried over yet. */
    settle: z.int().min(1),
  })
  .refine(({ policy, settle }) => settle < policy.steps, {
    message: 'settle must be less than policy.steps',
  });

export type RolloutsConfig = z.infer<typeof rolloutsSchema>;
export type RolloutVariant = RolloutsConfig['variants'][number];

export interface RolloutsOutcome {
  steps: TimedStep[];
}

/** Times in seconds. */
export interface TimedStep {
  step: number;
  sampling: number;
  teachers: number;
  training: number;
  /** Drawn, those of sequences that are carried over included. */
  tokens: number;
  acceptanceLength: number | null;
  /** Of the batch: see `PolicyStepMetrics`. */
  held: number;
  carried: number;
  staleness: number;
}

export function policyOf(
  { policy }: RolloutsConfig,
  { drafts, groupsAhead }: RolloutVariant,
): TrainingJson {
  // No time is to go into evaluations, nor checkpoints between steps.
  const { evaluation, ...run } = policy;
  return {
    ...run,
    checkpointEvery: policy.steps,
    ...(drafts !== undefined && { drafts }),
    ...(groupsAhead !== undefined && { schedule: { ...policy.schedule, groupsAhead } }),
  };
}
