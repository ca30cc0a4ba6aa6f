import type { Random } from '../random.ts';

export interface SamplingOptions {
  /** 0 takes the most probable token. */
  temperature: number;
  /** Keeps the smallest set of most probable tokens whose probability reaches this; 1, the default, all. */
  topP?: number;
  /** Keeps the k most probable tokens; 0, the default, keeps all. */
  topK?: number;
  /** Keeps tokens with at least this times the largest probability; 0, the default, keeps all. */
  minP?: number;
  /** Taken off the logit of every token that was generated before. */
  presencePenalty?: number;
  /** The same for each time that it was. */
  frequencyPenalty?: number;
  /** Divides positive and multiplies negative logits of tokens in prompt and answer; 1, the default, does nothing. */
  repetitionPenalty?: number;
  /** Added to the logits of these tokens, after the penalties. */
  logitBias?: ReadonlyMap<number, number>;
}

export const greedy: SamplingOptions = { temperature: 0 };

/** A row of the settings of `samplingDistribution`. */
export function samplingSettings(options: SamplingOptions): number[] {
  const { temperature, topP = 1, topK = 0, minP = 0 } = options;
  return [temperature, topP, topK, minP];
}

/** A uniform number in [0, 1) that is the same number in f32. */
export function uniform32(random: Random): number {
  return random.int(0, 2 ** 24 - 1) / 2 ** 24;
}
