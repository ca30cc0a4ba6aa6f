/**
 * What scores trajectories for distillation: an RL model, an SFT model or the frozen student itself. It
 * gives log-probabilities of a prefill at temperature 1, with its own routing: the student's routes are no
 * more than where the student's router sent tokens, and say nothing to another router.
 */
import type { TeacherScores } from '../algorithms/algorithm.ts';
import { isLogProbability } from '../log-probability.ts';
import { SequenceFailure } from '../sequence-failure.ts';
import type { Trajectory } from '../trajectory.ts';

export interface Teacher {
  /** For messages. */
  readonly name: string;
  /** Whether it computes elsewhere, so that others can compute here meanwhile. */
  readonly isRemote: boolean;
  /**
   * The scores of each trajectory, with the `topCount` most probable tokens in the place of each sampled
   * one; or why there are none.
   */
  score(
    trajectories: readonly Trajectory[],
    topCount: number,
    signal?: AbortSignal,
  ): Promise<(TeacherScores | TeacherFailure)[]>;
  close(): Promise<void>;
}

/** `refused`: it was asked for what it cannot do, so asking again is of no use. */
export type TeacherFailureReason = 'unreachable' | 'timeout' | 'refused' | 'malformed';

/** A trajectory that a teacher did not score. A run counts it and drops the trajectory. */
export class TeacherFailure extends SequenceFailure {
  override name = 'TeacherFailure';
  readonly reason: TeacherFailureReason;

  constructor(reason: TeacherFailureReason, message: string, options?: ErrorOptions) {
    super('teacher', message, options);
    this.reason = reason;
  }
}

/** A failure if a score is no log-probability, or one of the top tokens no token, else null. */
export function scoresProblem(
  teacher: string,
  { id, sampled }: Trajectory,
  { logprobs, top }: TeacherScores,
): TeacherFailure | null {
  const malformed = (what: string) =>
    new TeacherFailure('malformed', `teacher ${teacher}: ${what} of trajectory ${id}`);
  for (const [t, one] of sampled.entries()) {
    if (!one) continue;
    if (!isLogProbability(logprobs[t]!)) {
      return malformed(`has log-probability ${logprobs[t]} at token ${t}`);
    }
    if (!top) continue;
    for (let i = t * top.count; i < (t + 1) * top.count; i++) {
      if (top.tokens[i]! >= 0 && isLogProbability(top.logprobs[i]!)) continue;
      return malformed(`tells of token ${top.tokens[i]} as ${top.logprobs[i]} at token ${t}`);
    }
  }
  return null;
}
