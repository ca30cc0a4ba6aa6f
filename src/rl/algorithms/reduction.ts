import type { Example } from './algorithm.ts';

/**
 * How the losses of tokens become one.
 *
 * - `responses`: the mean over the tokens of each response, then over responses. Equation 7 has 1/|y| inside
 *   the expectation, and so has GRPO (Shao et al. 2024). Every response counts the same, so a token of a
 *   long one counts less.
 * - `tokens`: the mean over all tokens (DAPO, Yu et al. 2025): every token counts the same.
 * - a length: the sum over a response's tokens divided by that length, then the mean over responses
 *   (Dr. GRPO, Liu et al. 2025): unbiased by length, whatever the others of the batch are like.
 */
export type Reduction = 'responses' | 'tokens' | { length: number };

/** For each example, what one of its sampled tokens counts. |y| are the sampled tokens, not tools' answers. */
export function tokenShares(examples: readonly Example[], reduction: Reduction): number[] {
  const lengths = examples.map(({ trajectory }) => sampledCount(trajectory.sampled));
  const total = lengths.reduce((sum, length) => sum + length, 0);
  return lengths.map((length) => {
    if (reduction === 'tokens') return 1 / total;
    return 1 / (examples.length * (reduction === 'responses' ? length : reduction.length));
  });
}

function sampledCount(sampled: Uint8Array): number {
  return sampled.reduce((sum, one) => sum + one, 0);
}
