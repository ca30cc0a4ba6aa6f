/** What the experiment on distillation is told, and what its jobs give. */
import { z } from 'zod';
import { policyFields } from '../policy.ts';
import type { TrainingJson } from '../training.ts';

export const distillationSchema = z.strictObject({
  seeds: z.array(z.int().min(0)).min(1),
  ...policyFields,
  /** The run with both: `mopd` with an α above 0, its teachers, and an evaluation. */
  policy: z.looseObject({
    stage: z.literal('mopd'),
    mopd: z.looseObject({ alpha: z.number().positive() }),
    teachers: z.record(z.string(), z.unknown()),
    schedule: z.looseObject({}),
    evaluation: z.looseObject({ every: z.int().min(1) }),
  }),
});

export type DistillationConfig = z.infer<typeof distillationSchema>;

/** Figure 6's three, with how each learns. */
const SIGNALS = {
  'outcome reward only': 'outcome',
  'distillation only': 'distillation',
  both: 'both',
} as const;
export type Signal = keyof typeof SIGNALS;
export const signals = Object.keys(SIGNALS) as Signal[];

export interface DistillationOutcome {
  /** Share of right answers by source, from step 0 on. */
  accuracies: { step: number; scores: Record<string, number> }[];
  /** Mean reward of the step's sequences, and the distance from the teachers where there are any. */
  curve: { step: number; reward: number; teacherGap: number | null }[];
}

export function distillationJobName(signal: Signal, seed: number): string {
  return `${SIGNALS[signal]}-seed-${seed}`;
}

/** The run's JSON for one of the three: they differ in what rewards and teachers count, and in nothing else. */
export function policyOf({ policy }: DistillationConfig, signal: Signal): TrainingJson {
  // All prompts are trained on by all three: groups without signal are not replaced.
  const schedule = { ...policy.schedule, requireSignal: false };
  if (signal === 'both') return { ...policy, schedule };
  const { mopd, teachers, ...common } = policy;
  if (signal === 'distillation only') {
    return { ...policy, schedule, mopd: { ...mopd, alpha: 0 } };
  }
  const { correction } = mopd;
  const grpo = correction === undefined ? {} : { correction };
  return { ...common, schedule, stage: 'teacher', grpo };
}
