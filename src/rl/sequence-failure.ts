/** Why a sequence came to nothing, as it is counted. */
export type FailureKind =
  /** The rollout threw. */
  | 'rollout'
  | 'rollout-timeout'
  /** What a rollout gave is no trajectory. */
  | 'malformed'
  /** The reward program threw. */
  | 'reward'
  | 'reward-timeout'
  | 'judge'
  | 'judge-nonsense'
  | 'tool'
  | 'tool-timeout'
  | 'teacher';

/**
 * Ends one sequence and not the run. Rollouts, rewards, tools and teachers throw it to say what failed;
 * anything else that they throw is counted by where it was thrown.
 */
export class SequenceFailure extends Error {
  override name = 'SequenceFailure';
  readonly kind: FailureKind;

  constructor(kind: FailureKind, message: string, options?: ErrorOptions) {
    super(message, options);
    this.kind = kind;
  }
}
