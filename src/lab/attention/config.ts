/** What the experiment on attention is told: the variants, their common training, and the questions. */
import { z } from 'zod';
import { jobNameSchema } from '../experiment.ts';
import { questionsSchema, trainingJson } from '../training.ts';

const count = z.int().min(1);

const variantSchema = z.strictObject({
  name: jobNameSchema,
  /** Keys that a sliding layer sees; null makes every layer global. */
  window: count.nullable(),
  sink: z.boolean(),
});

export const attentionSchema = z.strictObject({
  seeds: z.array(z.int().min(0)).min(1),
  variants: z.array(variantSchema).min(1),
  /** A new model, trained on short documents. */
  training: trainingJson,
  /** And then on longer ones, with the base of the global layers' rotary embeddings raised. */
  extension: z.strictObject({
    ropeTheta: z.number().positive(),
    maxPositions: count,
    training: trainingJson,
  }),
  /** By what they test; those with `tokens` above the training length are asked after the extension. */
  questions: z.record(z.string(), questionsSchema),
  /** Memory and time of decoding, for a model of random weights in another shape. */
  decoding: z.strictObject({
    shape: z.record(z.string(), z.unknown()),
    contexts: z.array(count).min(1),
    /** For which the time is taken. */
    seconds: z.number().positive(),
  }),
});

export type AttentionConfig = z.infer<typeof attentionSchema>;
export type Variant = z.infer<typeof variantSchema>;

/** The hub's config of a variant of a hybrid shape. */
export function shapeOf(
  shape: Record<string, unknown>,
  { window, sink }: Variant,
): Record<string, unknown> {
  if (window !== null) {
    return { ...shape, sliding_window: window, add_swa_attention_sink_bias: sink };
  }
  const layers = z.int().min(1).parse(shape.num_hidden_layers);
  return {
    ...shape,
    hybrid_layer_pattern: Array(layers).fill(0),
    // All global layers: their sinks are these.
    add_full_attention_sink_bias: sink,
  };
}
