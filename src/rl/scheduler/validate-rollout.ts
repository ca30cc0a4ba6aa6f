/** Tells a trajectory from what a broken rollout gives. */
import { SequenceFailure } from '../sequence-failure.ts';
import type { PartialRollout, RolloutResult, Sequence } from './types.ts';

/** @throws SequenceFailure of kind `malformed` */
export function validateRollout(sequence: Sequence, result: RolloutResult): void {
  const problem =
    result?.status === 'paused'
      ? (problemOf(result.partial) ?? routesProblem(result.partial, false))
      : result?.status === 'finished'
        ? (otherSequence(sequence, result) ??
          problemOf(result.trajectory) ??
          routesProblem(result.trajectory, true) ??
          empty(result))
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

type Arrays = Omit<PartialRollout, 'state'>;

function problemOf(arrays: Arrays | undefined): string | null {
  const { tokens, sampled, logprobs, versions } = arrays ?? {};
  const isTyped =
    tokens instanceof Int32Array &&
    sampled instanceof Uint8Array &&
    logprobs instanceof Float32Array &&
    versions instanceof Int32Array;
  if (!isTyped) return 'lacks tokens or what goes with them';
  const { length } = tokens;
  if (sampled.length !== length || logprobs.length !== length || versions.length !== length) {
    return (
      `has ${length} tokens, ${sampled.length} marks, ${logprobs.length} log-probabilities ` +
      `and ${versions.length} versions`
    );
  }
  for (let i = 0; i < length; i++) {
    if (sampled[i] === 0) continue;
    if (!(logprobs[i]! <= 0 && logprobs[i]! > -Infinity)) {
      return `has log-probability ${logprobs[i]} at token ${i}`;
    }
    if (!(versions[i]! >= 0)) return `has version ${versions[i]} at sampled token ${i}`;
  }
  return null;
}

/** A whole trajectory has routes of all tokens but the last, a partial one perhaps of fewer. */
function routesProblem({ tokens, routes }: Arrays, isWhole: boolean): string | null {
  if (routes === null) return null;
  const { experts, layers, perToken } = routes;
  const positions = experts.length / (layers * perToken);
  const most = Math.max(0, tokens.length - 1);
  const fits = isWhole ? positions === most : Number.isInteger(positions) && positions <= most;
  return fits ? null : `has routes of ${positions} positions for ${tokens.length} tokens`;
}
