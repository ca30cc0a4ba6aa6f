/** Tells a trajectory from what a broken rollout gives. */
import { positionsProblem, tokensProblem } from '../check-trajectory.ts';
import { SequenceFailure } from '../sequence-failure.ts';
import type { Trajectory } from '../trajectory.ts';
import type { RolloutResult, Sequence } from './types.ts';

/**
 * @param problemOf what is wrong with a whole trajectory for the model that is trained, such as a token that
 *   it does not have
 * @throws SequenceFailure of kind `malformed`
 */
export function validateRollout(
  sequence: Sequence,
  result: RolloutResult,
  problemOf: (trajectory: Trajectory) => string | null,
): void {
  const problem =
    result?.status === 'paused'
      ? (tokensProblem(result.partial) ?? positionsProblem(result.partial, false))
      : result?.status === 'finished'
        ? (otherSequence(sequence, result) ??
          tokensProblem(result.trajectory) ??
          positionsProblem(result.trajectory, true) ??
          empty(result) ??
          problemOf(result.trajectory))
        : 'is neither finished nor paused';
  if (problem !== null) throw new SequenceFailure('malformed', `the rollout ${problem}`);
}

type Finished = Extract<RolloutResult, { status: 'finished' }>;

function otherSequence(sequence: Sequence, { trajectory }: Finished): string | null {
  const differs = (['id', 'group', 'domain'] as const).find(
    (key) => trajectory?.[key] !== sequence[key],
  );
  return differs ? `is of another ${differs}: ${trajectory?.[differs]}` : null;
}

function empty({ trajectory, response }: Finished): string | null {
  if (!trajectory.sampled.includes(1)) return 'has no sampled token';
  return Array.isArray(response) && response.length > 0 ? null : 'has no response';
}
