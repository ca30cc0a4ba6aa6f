import type { Random } from '../random.ts';

export interface SamplingOptions {
  /** 0 takes the most probable token. */
  temperature: number;
  /** Keeps the smallest set of most probable tokens whose probability reaches this; 1 keeps all. */
  topP: number;
  /** Keeps the k most probable tokens; 0 keeps all. */
  topK: number;
}

export const greedy: SamplingOptions = { temperature: 0, topP: 1, topK: 0 };

/**
 * The distribution that a row of logits is sampled from: temperature, then top-k, then top-p, then
 * normalised. Ids from `vocabSize` on (rows that only pad the head) get probability 0.
 */
export function distribution(
  logits: Float32Array,
  options: SamplingOptions,
  vocabSize = logits.length,
): Float64Array {
  const probabilities = new Float64Array(logits.length);
  let best = 0;
  for (let i = 1; i < vocabSize; i++) if (logits[i]! > logits[best]!) best = i;
  if (options.temperature === 0) {
    probabilities[best] = 1;
    return probabilities;
  }
  for (let i = 0; i < vocabSize; i++) {
    probabilities[i] = Math.exp((logits[i]! - logits[best]!) / options.temperature);
  }
  if (options.topK > 0 || options.topP < 1) keepMostProbable(probabilities, options);
  return normalize(probabilities);
}

/** Draws an index with probability proportional to its weight. */
export function draw(weights: Float64Array, random: Random): number {
  let total = 0;
  for (const weight of weights) total += weight;
  let rest = random.uniform() * total;
  let last = 0;
  for (let i = 0; i < weights.length; i++) {
    if (weights[i] === 0) continue;
    last = i;
    rest -= weights[i]!;
    if (rest < 0) return i;
  }
  return last;
}

function keepMostProbable(weights: Float64Array, { topK, topP }: SamplingOptions): void {
  const candidates: number[] = [];
  let total = 0;
  for (let i = 0; i < weights.length; i++) {
    if (weights[i] === 0) continue;
    candidates.push(i);
    total += weights[i]!;
  }
  candidates.sort((a, b) => weights[b]! - weights[a]! || a - b);
  const limit = topK > 0 ? Math.min(topK, candidates.length) : candidates.length;
  if (limit < candidates.length) {
    total = candidates.slice(0, limit).reduce((sum, i) => sum + weights[i]!, 0);
  }
  let kept = 0;
  let mass = 0;
  while (kept < limit && mass < topP * total) mass += weights[candidates[kept++]!]!;
  for (const i of candidates.slice(Math.max(kept, 1))) weights[i] = 0;
}

function normalize(weights: Float64Array): Float64Array {
  let total = 0;
  for (const weight of weights) total += weight;
  for (let i = 0; i < weights.length; i++) weights[i] = weights[i]! / total;
  return weights;
}
