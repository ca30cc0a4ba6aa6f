import type { Trajectory } from '../trajectory.ts';
import type { SequenceState } from './state.ts';

type Sampled = Pick<Trajectory, 'sampled' | 'versions'>;

/** Of what never changes and is long. */
const known = new WeakMap<Sampled, { oldest: number; newest: number }>();

/** Of the tokens that were sampled; Infinity and −Infinity if none was. */
function versionsOf(arrays: Sampled): { oldest: number; newest: number } {
  const found = known.get(arrays);
  if (found) return found;
  const { sampled, versions } = arrays;
  let oldest = Infinity;
  let newest = -Infinity;
  for (let i = 0; i < versions.length; i++) {
    if (sampled[i] === 0) continue;
    oldest = Math.min(oldest, versions[i]!);
    newest = Math.max(newest, versions[i]!);
  }
  known.set(arrays, { oldest, newest });
  return { oldest, newest };
}

/** The version that sampled its first tokens; Infinity while there are none. */
export function oldestVersion({ trajectory, partial }: SequenceState): number {
  const arrays = trajectory ?? partial;
  return arrays ? versionsOf(arrays).oldest : Infinity;
}

/** Whether the weights changed while it was sampled. */
export function isCarried(trajectory: Trajectory): boolean {
  const { oldest, newest } = versionsOf(trajectory);
  return oldest !== newest;
}
