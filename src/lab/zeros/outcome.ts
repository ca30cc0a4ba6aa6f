/** What the experiment on num-zeros is told, and what its jobs give. */
import { z } from 'zod';
import type { ZerosWarning } from '../../train/zeros-watch.ts';
import { jobNameSchema } from '../experiment.ts';
import { startSchema } from '../training.ts';

const variantSchema = z.strictObject({
  name: jobNameSchema,
  /** Whether it is to be spoiled by what it has of its own. */
  isSpoiled: z.boolean(),
  expertBiasRate: z.number().min(0).optional(),
  /** AdamW's. */
  epsilon: z.number().positive().optional(),
});

export const zerosSchema = z
  .strictObject({
    seeds: z.array(z.int().min(0)).min(1),
    /** An SFT with its watch of num-zeros, and an evaluation. */
    training: z.looseObject({ stage: z.literal('sft') }),
    start: startSchema,
    variants: z.array(variantSchema).min(1),
  })
  .refine(({ variants }) => variants.filter(({ isSpoiled }) => !isSpoiled).length === 1, {
    message: 'variants: give exactly one that is not spoiled',
  });

export type ZerosConfig = z.infer<typeof zerosSchema>;
export type ZerosVariant = ZerosConfig['variants'][number];

export interface ZerosOutcome {
  heldOutLoss: number;
  curve: ZerosPoint[];
  /** What the watch said, with the line that people were shown. */
  warnings: (Pick<ZerosWarning, 'step' | 'kind'> & { text: string })[];
}

export interface ZerosPoint {
  step: number;
  loss: number;
  /** Share of the gradient's elements. */
  zeros: number;
  /** Mean over layers. */
  maxViolation: number;
  meanViolation: number;
  deadExperts: number;
}

export function zerosJobName({ name }: ZerosVariant, seed: number): string {
  return `${name}-seed-${seed}`;
}
