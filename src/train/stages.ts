/** What a stage of training sets where its config says nothing: the report's values. */
import { isJsonObject, type JsonObject, laidOver } from '../json.ts';

/** Keys as in a config's JSON; those of an object are taken one by one. */
const defaults = {
  pretraining: {},
  /** Section 4.2: 5e-5 to 5e-6 by a cosine, 128 sequences a step, AdamW's ε 1e-8. λ is not given. */
  sft: {
    batchSequences: 128,
    learningRate: { schedule: 'cosine', peak: 5e-5, floor: 5e-6 },
    adamw: { epsilon: 1e-8 },
    mtpLossWeight: 0.1,
    expertBiasRate: 1e-4,
    balanceCoefficient: 1e-6,
    zerosWatch: {},
  },
} as const;

export type Stage = keyof typeof defaults;

export const stageNames = Object.keys(defaults) as [Stage, ...Stage[]];

/** The JSON of a config with what its stage sets; other JSON is left for the schema to refuse. */
export function withStage(json: unknown): unknown {
  if (!isJsonObject(json) || !stageNames.includes(json.stage as Stage)) return json;
  const set: JsonObject = { ...defaults[json.stage as Stage] };
  // A batch is counted one way or the other.
  if (json.batchTokens !== undefined) delete set.batchSequences;
  return laidOver(set, json);
}
