/** What the experiment on balance is told, and what its jobs give. */
import { z } from 'zod';
import { jobNameSchema } from '../experiment.ts';
import { trainingJson } from '../training.ts';

const variantSchema = z.strictObject({
  name: jobNameSchema,
  expertBiasRate: z.number().min(0),
  balanceCoefficient: z.number().min(0),
});

export const balanceSchema = z.strictObject({
  seeds: z.array(z.int().min(0)).min(1),
  variants: z.array(variantSchema).min(1),
  training: trainingJson,
});

export type BalanceConfig = z.infer<typeof balanceSchema>;

export interface BalanceOutcome {
  heldOutLoss: number;
  /** Over the last fifth of the steps. */
  end: BalancePoint;
  curve: ({ step: number } & BalancePoint)[];
}

/** What is watched; violations are means over layers. */
export interface BalancePoint {
  loss: number;
  maxViolation: number;
  meanViolation: number;
  numZeros: number;
  deadExperts: number;
}

export function balanceJobName(variant: string, seed: number): string {
  return `${variant}-seed-${seed}`;
}
