/** What the jobs of the experiment give, and what they are called. */
import type { AttentionConfig, Variant } from './config.ts';

export type AttentionOutcome =
  | { kind: 'training'; before: Stage; after: Stage }
  | { kind: 'decoding'; contexts: DecodingPoint[] };

/** A model at the end of a training. */
export interface Stage {
  loss: number;
  lossByLabel: Record<string, number>;
  /** Loss of training by step. */
  curve: [step: number, loss: number][];
  /** Share of right answers by what was asked. */
  right: Record<string, number>;
}

export interface DecodingPoint {
  context: number;
  /** Of keys and values in f32. */
  cacheBytes: number;
  millisecondsPerToken: number;
}

export function trainingJobName({ name }: Variant, seed: number): string {
  return `${name}-seed-${seed}`;
}

export function decodingJobName({ name }: Variant): string {
  return `decoding-${name}`;
}

/** Sinks cost neither memory nor time worth measuring: one variant for each window. */
export function decodedVariants({ variants }: AttentionConfig): Variant[] {
  return [...new Map(variants.map((variant) => [variant.window, variant])).values()];
}
