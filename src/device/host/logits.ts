/**
 * What is done to logits before a token is drawn from them, and what is said about them, over rows that
 * the host can see: see `InferenceKernels`.
 */
import type { InferenceKernels } from '../../tensor/inference-kernels.ts';
import type { Tensor } from '../../tensor/tensor.ts';
import type { HostMemory } from './memory.ts';

/** Nothing that a model gives is as low, and divided by a temperature it is still a number. */
const forbidden = -1e30;

export function hostLogitKernels(
  memory: HostMemory,
): Pick<InferenceKernels, 'penalizeLogits' | 'maskLogits' | 'scoreTokens'> {
  const floats = (tensor: Tensor) => memory.floats(tensor);
  const ints = (tensor: Tensor) => memory.ints(tensor);
  return {
    penalizeLogits({ logits, rows, tokens, settings, offsets, columns, counts, biases }) {
      const [values, width] = [floats(logits), logits.columns];
      const [places, drafted, from] = [ints(rows), ints(tokens), ints(offsets)];
      const [column, count, bias] = [ints(columns), ints(counts), floats(biases)];
      const strengths = floats(settings);
      for (let row = 0; row < logits.rows; row++) {
        const [sequence = 0, first = 0, length = 0] = places.subarray(3 * row, 3 * row + 3);
        const own = values.subarray(row * width, (row + 1) * width);
        const strength = strengths.subarray(3 * sequence, 3 * sequence + 3);
        const drafts = new Map<number, number>();
        for (const token of drafted.subarray(first, first + length)) {
          drafts.set(token, (drafts.get(token) ?? 0) + 1);
        }
        for (let i = from[sequence]!; i < from[sequence + 1]!; i++) {
          const more = drafts.get(column[i]!) ?? 0;
          drafts.delete(column[i]!);
          own[column[i]!] = penalized(own[column[i]!]!, strength, count[i]!, more) + bias[i]!;
        }
        for (const [token, more] of drafts) own[token] = penalized(own[token]!, strength, -1, more);
      }
    },

    maskLogits({ logits, masks, rows }) {
      const [values, words, width] = [floats(logits), masks.columns, logits.columns];
      const [bits, chosen] = [ints(masks), ints(rows)];
      for (let row = 0; row < logits.rows; row++) {
        const mask = chosen[row]!;
        if (mask < 0) continue;
        for (let c = 0; c < Math.min(width, 32 * words); c++) {
          const isAllowed = (bits[mask * words + (c >> 5)]! >>> (c & 31)) & 1;
          if (!isAllowed) values[row * width + c] = forbidden;
        }
      }
    },

    scoreTokens({ logits, tokens, places, vocabSize, logprobs, top }) {
      const [values, width, count] = [floats(logits), logits.columns, logprobs.columns];
      const [ids, chosen, out] = [ints(tokens), ints(places), floats(logprobs)];
      for (let row = 0; row < logits.rows; row++) {
        const own = values.subarray(row * width, row * width + vocabSize);
        const total = logSumExp(own);
        const best = mostProbable(own, count - 1);
        const token = ids[chosen[row]!]!;
        out.set(
          [token, ...best].map((id) => (own[id] ?? Number.NaN) - total),
          row * count,
        );
        if (top) ints(top).set(best, row * (count - 1));
      }
    },
  };
}

/** A logit after the penalties, of a column generated `count` times (see the kernel) and drafted `more`. */
function penalized(logit: number, strength: Float32Array, count: number, more: number): number {
  const [repetition, presence, frequency] = strength;
  const said = Math.max(count, 0) + more;
  if (count < 0 && said === 0) return logit;
  const repeated = logit > 0 ? logit / repetition! : logit * repetition!;
  return said > 0 ? repeated - presence! - frequency! * said : repeated;
}

function logSumExp(logits: Float32Array): number {
  const largest = logits.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  let sum = 0;
  for (const logit of logits) sum += Math.exp(logit - largest);
  return largest + Math.log(sum);
}

/** The columns of the `count` largest, in order. */
function mostProbable(logits: Float32Array, count: number): number[] {
  const best: number[] = [];
  if (count === 0) return best;
  for (let i = 0; i < logits.length; i++) {
    if (best.length === count && logits[best.at(-1)!]! >= logits[i]!) continue;
    let at = best.length;
    while (at > 0 && logits[best[at - 1]!]! < logits[i]!) at--;
    best.splice(at, 0, i);
    best.length = Math.min(best.length, count);
  }
  return best;
}
