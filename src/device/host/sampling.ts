/**
 * Sampling and verification over rows that the host can see: see `InferenceKernels`. Sums are in f64.
 */
import type { InferenceKernels } from '../../tensor/inference-kernels.ts';
import type { Tensor } from '../../tensor/tensor.ts';
import type { HostMemory } from './memory.ts';

export function hostSamplingKernels(
  memory: HostMemory,
): Pick<InferenceKernels, 'samplingDistribution' | 'drawTokens' | 'verifyDrafts'> {
  const floats = (tensor: Tensor) => memory.floats(tensor);
  const ints = (tensor: Tensor) => memory.ints(tensor);
  return {
    samplingDistribution({ logits, settings, vocabSize }) {
      const [values, width] = [floats(logits), logits.columns];
      const chosen = floats(settings);
      for (let row = 0; row < logits.rows; row++) {
        const own = chosen.subarray(4 * row, 4 * row + 4);
        const weights = values.subarray(row * width, (row + 1) * width);
        softmax(weights, own[0]!, vocabSize);
        keepMostProbable(weights, own);
      }
    },

    drawTokens({ probabilities, uniforms, places, out }) {
      const [values, width] = [floats(probabilities), probabilities.columns];
      const [random, targets, tokens] = [floats(uniforms), ints(places), ints(out)];
      const copies = places.columns;
      for (let row = 0; row < probabilities.rows; row++) {
        const token = draw(values.subarray(row * width, (row + 1) * width), random[row]!);
        for (const place of targets.subarray(row * copies, (row + 1) * copies)) {
          if (place >= 0) tokens[place] = token;
        }
      }
    },

    verifyDrafts({ targets, drafts, tokens, uniforms, out }) {
      const [count, width] = [uniforms.columns - 1, targets.columns];
      const sequences = uniforms.rows;
      const [target, draft] = [floats(targets), drafts && floats(drafts)];
      const [drafted, random, result] = [ints(tokens), floats(uniforms), ints(out)];
      const rowOf = (values: Float32Array, row: number) =>
        values.subarray(row * width, (row + 1) * width);
      for (let s = 0; s < sequences; s++) {
        const chosen: number[] = [];
        let kept = 0;
        const last = random[s * (count + 1) + count]!;
        for (let d = 0; d < count; d++) {
          const [p, q] = [rowOf(target, s * (count + 1) + d), rowOf(draft!, d * sequences + s)];
          const token = drafted[s * (count + 1) + 1 + d]!;
          const isKept = random[s * (count + 1) + d]! < p[token]! / q[token]!;
          if (!isKept) {
            chosen.push(draw(residual(p, q), last));
            break;
          }
          kept++;
          chosen.push(token);
        }
        if (kept === count) chosen.push(draw(rowOf(target, s * (count + 1) + count), last));
        result.set([chosen.length, ...chosen], s * (count + 2));
      }
    },
  };
}

/** exp(logit / temperature), normalised; 1 for the largest and 0 elsewhere if the temperature is 0. */
function softmax(weights: Float32Array, temperature: number, vocabSize: number): void {
  let best = 0;
  for (let i = 1; i < vocabSize; i++) if (weights[i]! > weights[best]!) best = i;
  weights.fill(0, vocabSize);
  if (temperature === 0) {
    weights.fill(0);
    weights[best] = 1;
    return;
  }
  const largest = weights[best]!;
  for (let i = 0; i < vocabSize; i++) weights[i] = Math.exp((weights[i]! - largest) / temperature);
  normalize(weights);
}

/** Cuts a distribution as `samplingDistribution` says, by a row of its settings. */
export function keepMostProbable(weights: Float32Array, settings: Float32Array): void {
  const [temperature = 1, topP = 1, topK = 0, minP = 0] = settings;
  // A single token is left, or all of them are to be.
  if (temperature === 0 || !(topK > 0 || topP < 1 || minP > 0)) return;
  const order: number[] = [];
  for (let i = 0; i < weights.length; i++) if (weights[i]! > 0) order.push(i);
  order.sort((a, b) => weights[b]! - weights[a]! || a - b);
  const limit = topK > 0 ? Math.min(topK, order.length) : order.length;
  let total = 0;
  for (const i of order.slice(0, limit)) total += weights[i]!;
  let kept = 0;
  let mass = 0;
  while (kept < limit && mass < topP * total) mass += weights[order[kept++]!]!;
  const least = minP * weights[order[0]!]!;
  order.forEach((i, rank) => {
    if (rank > 0 && (rank >= kept || weights[i]! < least)) weights[i] = 0;
  });
  normalize(weights);
}

function normalize(weights: Float32Array): void {
  const total = sum(weights);
  for (let i = 0; i < weights.length; i++) weights[i] = weights[i]! / total;
}

/** What a rejected draft is replaced from; the target itself where rounding leaves nothing of it. */
function residual(target: Float32Array, draft: Float32Array): Float32Array {
  const rest = target.map((probability, token) => Math.max(probability - draft[token]!, 0));
  return sum(rest) > 0 ? rest : target;
}

function draw(weights: Float32Array, uniform: number): number {
  const limit = uniform * sum(weights);
  let mass = 0;
  let last = 0;
  for (let i = 0; i < weights.length; i++) {
    if (weights[i] === 0) continue;
    last = i;
    mass += weights[i]!;
    if (mass > limit) return i;
  }
  return last;
}

function sum(weights: Float32Array): number {
  let total = 0;
  for (const weight of weights) total += weight;
  return total;
}
