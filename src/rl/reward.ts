import { UserError } from '../errors.ts';
import type { Judge } from './judge/judge.ts';
import type { RewardFunction } from './scheduler/types.ts';

/**
 * Rewards by the problem's own verifier, 1 or 0, and by a judge where a rubric is given: the share of its
 * points.
 */
export function outcomeReward(judge: Judge | null): RewardFunction {
  return async ({ prompt: { problem, rubric } }, response, signal) => {
    if (rubric === null) {
      const { correct, reason } = await problem.verify(response);
      return { value: correct ? 1 : 0, passed: correct, reason };
    }
    if (!judge) throw new UserError('a source has rubrics, and the run no "judge"; give it one');
    const { score, reasons } = await judge.score(rubric, problem.messages, response, signal);
    return { value: score, passed: score >= rubric.pass, reason: reasons };
  };
}
