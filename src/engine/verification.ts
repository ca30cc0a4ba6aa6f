import type { Random } from '../random.ts';
import { draw } from './sampling.ts';

export interface Draft {
  token: number;
  /** The distribution that the token was drawn from. */
  distribution: Float64Array;
}

/**
 * Speculative sampling (Leviathan et al. 2023, Chen et al. 2023). The model has computed `targets`,
 * one distribution after each of the drafts and one before the first. A draft x is kept with
 * probability min(1, p(x)/q(x)); the first that is not is replaced by a draw from max(p − q, 0), and
 * if all are kept, the last target gives one more token. The tokens are then distributed exactly as
 * if drawn from the targets one by one; with one-hot targets they are the greedy tokens.
 *
 * @returns the accepted drafts and one more token: 1 to drafts.length + 1 tokens.
 */
export function verify(
  drafts: readonly Draft[],
  targets: readonly Float64Array[],
  random: Random,
): number[] {
  const tokens: number[] = [];
  for (const [index, { token, distribution }] of drafts.entries()) {
    const target = targets[index]!;
    const accept = target[token]! / distribution[token]!;
    if (accept < 1 && random.uniform() >= accept) {
      tokens.push(draw(residual(target, distribution), random));
      return tokens;
    }
    tokens.push(token);
  }
  tokens.push(draw(targets[drafts.length]!, random));
  return tokens;
}

function residual(target: Float64Array, draft: Float64Array): Float64Array {
  return target.map((probability, token) => Math.max(probability - draft[token]!, 0));
}
