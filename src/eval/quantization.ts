/**
 * What quantising costs: how far a model's next-token distributions are from those of the f32 weights, and
 * the perplexity of both, on text that the model has not seen.
 */
import { packDocuments } from '../model/batch.ts';
import { trunk } from '../model/trunk.ts';
import type { Model } from '../model/weights.ts';
import { Random } from '../random.ts';
import { sampleProblem, toTrainingText } from '../tasks/index.ts';
import { linear } from '../tensor/ops/index.ts';
import { readFloats, Scope } from '../tensor/scope.ts';
import type { Tokenizer } from '../text/tokenizer.ts';

export interface QuantizationQuality {
  tokens: number;
  /** Mean Kullback–Leibler divergence from the f32 model's distributions, in nats. */
  divergence: number;
  /** Share of tokens whose most probable successor is the same. */
  agreement: number;
  perplexity: { f32: number; quantized: number };
}

export interface HeldOutDocument {
  tokens: number[];
  /** Whether each token counts: those that a model is trained to give. */
  counts: boolean[];
}

/** Solved test problems of the task families, of which the assistant's part counts. */
export function heldOutDocuments(
  tokenizer: Tokenizer,
  count: number,
  seed: number,
): HeldOutDocument[] {
  const random = new Random(seed);
  return Array.from({ length: count }, () => {
    const document: HeldOutDocument = { tokens: [], counts: [] };
    for (const { text, trained } of toTrainingText(sampleProblem(random, 'test'), tokenizer)) {
      const tokens = tokenizer.encode(text);
      document.tokens.push(...tokens);
      document.counts.push(...tokens.map(() => trained));
    }
    return document;
  });
}

/** Compares two models of one shape on documents, one after another. */
export async function compareQuantized(
  f32: Model,
  quantized: Model,
  documents: readonly HeldOutDocument[],
  progress: (done: number) => void = () => {},
): Promise<QuantizationQuality> {
  const sums = { tokens: 0, divergence: 0, same: 0, f32: 0, quantized: 0 };
  const { vocabSize } = f32.config;
  for (const [index, { tokens, counts }] of documents.entries()) {
    progress(index);
    const reference = await logitsOf(f32, tokens);
    const other = await logitsOf(quantized, tokens);
    for (let t = 0; t + 1 < tokens.length; t++) {
      if (!counts[t + 1]) continue;
      const p = logProbabilities(reference.subarray(t * vocabSize, (t + 1) * vocabSize));
      const q = logProbabilities(other.subarray(t * vocabSize, (t + 1) * vocabSize));
      const target = tokens[t + 1]!;
      sums.tokens++;
      sums.f32 -= p[target]!;
      sums.quantized -= q[target]!;
      if (largestOf(p) === largestOf(q)) sums.same++;
      for (let i = 0; i < vocabSize; i++) sums.divergence += Math.exp(p[i]!) * (p[i]! - q[i]!);
    }
  }
  const { tokens } = sums;
  return {
    tokens,
    divergence: sums.divergence / tokens,
    agreement: sums.same / tokens,
    perplexity: {
      f32: Math.exp(sums.f32 / tokens),
      quantized: Math.exp(sums.quantized / tokens),
    },
  };
}

async function logitsOf(model: Model, tokens: number[]): Promise<Float32Array> {
  const scope = new Scope(model.device);
  try {
    const { hidden } = trunk(scope, model, packDocuments(scope, [tokens]));
    return await readFloats(model.device, linear(scope, hidden, model.head));
  } finally {
    scope.close();
  }
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
