/** What the configs of runs of all kinds say: of training, and of reinforcement learning. */
import { z } from 'zod';
import { count, countOrZero, natural, positive, share, text } from '../config-fields.ts';

const learningRateSchema = z
  .strictObject({
    schedule: z
      .enum(['cosine', 'warmup-stable-decay'], 'must be "cosine" or "warmup-stable-decay"')
      .default('cosine'),
    peak: positive,
    /** Rate of the last step. */
    floor: natural.default(0),
    warmupSteps: countOrZero.default(0),
    /** Of `warmup-stable-decay`: how many of the last steps the rate falls. */
    decaySteps: countOrZero.default(0),
  })
  .refine(({ peak, floor }) => floor <= peak, { message: '"floor" is above "peak"' });

export const runFields = {
  /** Directory of the run: checkpoints, metrics, and what else it keeps. A run that is there is resumed. */
  output: text,
  /** Of all that is drawn: initial weights, the order of data, problems, samples. */
  seed: countOrZero.default(1),
  /**
   * What products are computed in; `auto` is mixed on a GPU with matrix units, else f32. A run that
   * goes on keeps what `auto` began with.
   */
  precision: z.enum(['auto', 'f32', 'mixed'], 'must be "auto", "f32" or "mixed"').default('auto'),
  /** Optimizer steps. */
  steps: count,
  /** Most tokens computed at once: what memory allows. */
  microBatchTokens: count,
  /** `layers`: less memory, for about a third more computing; the steps are the same. */
  recompute: z.enum(['none', 'layers'], 'must be "none" or "layers"').default('none'),
  /** Longest document or sequence, in tokens. */
  maxLength: z.int('must be a whole number').min(2, 'must be 2 or more'),
  learningRate: learningRateSchema,
  /** Largest norm of the gradient. */
  clipNorm: positive.default(1),
  /** How many checkpoints are kept. */
  keepCheckpoints: count.default(2),
};

export function adamwSchema(defaults: { weightDecay: number }) {
  return z
    .strictObject({
      beta1: share.default(0.9),
      beta2: share.default(0.95),
      epsilon: positive.default(1e-8),
      weightDecay: natural.default(defaults.weightDecay),
    })
    .prefault({});
}

/** What `refine` is told of the longest sequence. */
export const fitsMicroBatch = [
  ({ maxLength, microBatchTokens }: { maxLength: number; microBatchTokens: number }) =>
    maxLength <= microBatchTokens,
  { message: '"maxLength" must be no more than "microBatchTokens"' },
] as const;

/** And of the learning rate. */
export const fitsSteps = [
  ({ learningRate: rate, steps }: { learningRate: LearningRate; steps: number }) =>
    rate.warmupSteps + rate.decaySteps <= steps,
  { message: '"warmupSteps" and "decaySteps" of "learningRate" are more than "steps"' },
] as const;

type LearningRate = z.output<typeof learningRateSchema>;
