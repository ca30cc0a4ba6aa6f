/**
 * What rounding costs, of weights or of caches: how far next-token distributions are from those without
 * it, and the perplexity of both, on text that the model has not seen.
 */
import type { SolvedDocument } from './solved-documents.ts';
import type { TextLogits } from './text-logits.ts';

export interface Divergence {
  tokens: number;
  /** Mean Kullback–Leibler divergence from the exact distributions, in nats. */
  nats: number;
  /** Share of tokens whose most probable successor is the same. */
  agreement: number;
  perplexity: { exact: number; rounded: number };
}

/** Compares two ways to logits on documents, one after another. */
export async function divergenceOf(
  exact: TextLogits,
  rounded: TextLogits,
  documents: readonly SolvedDocument[],
  progress: (done: number) => void = () => {},
): Promise<Divergence> {
  const sums = { tokens: 0, divergence: 0, same: 0, exact: 0, rounded: 0 };
  for (const [index, { tokens, counts }] of documents.entries()) {
    progress(index);
    const reference = await exact(tokens);
    const other = await rounded(tokens);
    const columns = reference.length / tokens.length;
    for (let t = 0; t + 1 < tokens.length; t++) {
      if (!counts[t + 1]) continue;
      const p = logProbabilities(reference.subarray(t * columns, (t + 1) * columns));
      const q = logProbabilities(other.subarray(t * columns, (t + 1) * columns));
      const target = tokens[t + 1]!;
      sums.tokens++;
      sums.exact -= p[target]!;
      sums.rounded -= q[target]!;
      if (largestOf(p) === largestOf(q)) sums.same++;
      for (let i = 0; i < columns; i++) sums.divergence += Math.exp(p[i]!) * (p[i]! - q[i]!);
    }
  }
  const { tokens } = sums;
  return {
    tokens,
    nats: sums.divergence / tokens,
    agreement: sums.same / tokens,
    perplexity: { exact: Math.exp(sums.exact / tokens), rounded: Math.exp(sums.rounded / tokens) },
  };
}

function logProbabilities(logits: Float32Array): Float64Array {
  let largest = Number.NEGATIVE_INFINITY;
  for (const logit of logits) largest = Math.max(largest, logit);
  let sum = 0;
  for (const logit of logits) sum += Math.exp(logit - largest);
  const shift = largest + Math.log(sum);
  return Float64Array.from(logits, (logit) => logit - shift);
}

function largestOf(values: Float64Array): number {
  let best = 0;
  for (let i = 1; i < values.length; i++) if (values[i]! > values[best]!) best = i;
  return best;
}
