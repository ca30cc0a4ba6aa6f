import { UserError } from '../../errors.ts';
import type { Example } from './algorithm.ts';

export interface AdvantageOptions {
  /**
   * Whether advantages are divided by the standard deviation of their group (GRPO, Shao et al. 2024), or
   * not (Dr. GRPO, Liu et al. 2025: the division favours groups that are nearly all right or all wrong).
   * Default true.
   */
  normalize?: boolean;
}

/**
 * The outcome reward of each trajectory relative to its group's: Â = (r − mean) / deviation, the deviation
 * that of the group itself (divided by n). A group whose rewards are all the same says nothing: exactly 0,
 * which rounding of the mean must not turn into ±1.
 *
 * @throws UserError if a reward is not known
 */
export function groupAdvantages(
  examples: readonly Example[],
  { normalize = true }: AdvantageOptions = {},
): number[] {
  const groups = new Map<string, number[]>();
  for (const { trajectory } of examples) {
    const { id, group, reward } = trajectory;
    if (reward === null || !Number.isFinite(reward)) {
      throw new UserError(
        `trajectory ${id}: its reward is ${reward}; drop it or give it one before training on it`,
      );
    }
    groups.set(group, [...(groups.get(group) ?? []), reward]);
  }
  const statistics = new Map([...groups].map(([group, rewards]) => [group, spreadOf(rewards)]));
  return examples.map(({ trajectory: { group, reward } }) => {
    const { mean, deviation } = statistics.get(group)!;
    if (deviation === 0) return 0;
    return (reward! - mean) / (normalize ? deviation : 1);
  });
}

/** Whether rewards of a group differ, so that there is something to learn from it. */
export function hasSignal(rewards: readonly number[]): boolean {
  return rewards.some((reward) => reward !== rewards[0]);
}

function spreadOf(rewards: readonly number[]): { mean: number; deviation: number } {
  const mean = rewards.reduce((sum, reward) => sum + reward, 0) / rewards.length;
  if (!hasSignal(rewards)) return { mean, deviation: 0 };
  const squares = rewards.reduce((sum, reward) => sum + (reward - mean) ** 2, 0);
  return { mean, deviation: Math.sqrt(squares / rewards.length) };
}
