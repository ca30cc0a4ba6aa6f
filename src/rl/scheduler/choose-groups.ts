import type { GroupState, SequenceState } from './state.ts';
import { isCarried, oldestVersion } from './versions.ts';

export interface ChooseOptions {
  groups: number;
  maxCarriedShare: number;
  priorityOf: (group: GroupState) => number;
}

/**
 * Groups for a batch, the oldest tokens first, without more carried sequences than the share allows.
 *
 * @returns fewer than `options.groups` if there are not enough, with what a batch would begin with
 */
export function chooseGroups(
  ready: readonly GroupState[],
  { groups, maxCarriedShare, priorityOf }: ChooseOptions,
): GroupState[] {
  const candidates = ready
    .map((group) => ({ group, ...ageAndSize(group), priority: priorityOf(group) }))
    .sort(
      (a, b) => a.oldest - b.oldest || b.priority - a.priority || a.group.order - b.group.order,
    );
  const attempts = [youngestCarried, mostCarried].map((worst) =>
    withinShare(candidates, groups, maxCarriedShare, worst),
  );
  const chosen = attempts.find(({ length }) => length === groups) ?? attempts[0]!;
  return chosen.map(({ group }) => group);
}

interface Candidate {
  group: GroupState;
  carried: number;
  size: number;
}

/** The first of the candidates, without as many of the worst as it takes to keep to the share. */
function withinShare(
  candidates: readonly Candidate[],
  groups: number,
  maxCarriedShare: number,
  worst: (chosen: readonly Candidate[]) => Candidate,
): Candidate[] {
  let left = candidates;
  for (;;) {
    const chosen = left.slice(0, groups);
    const carried = chosen.reduce((sum, candidate) => sum + candidate.carried, 0);
    const size = chosen.reduce((sum, candidate) => sum + candidate.size, 0);
    if (carried <= maxCarriedShare * size) return chosen;
    const unfit = worst(chosen);
    left = left.filter((candidate) => candidate !== unfit);
  }
}

/** So that the oldest, which cannot wait, come first. */
function youngestCarried(chosen: readonly Candidate[]): Candidate {
  return chosen.findLast(({ carried }) => carried > 0)!;
}

/** So that one group does not keep several others out. */
function mostCarried(chosen: readonly Candidate[]): Candidate {
  return chosen.reduce((worst, other) => (other.carried > worst.carried ? other : worst));
}

/** Sequences of a group that are left. */
export function readySequences({ sequences }: GroupState): SequenceState[] {
  return sequences.filter(({ stage }) => stage === 'ready');
}

function ageAndSize(group: GroupState): {
  oldest: number;
  carried: number;
  size: number;
} {
  const sequences = readySequences(group);
  return {
    oldest: Math.min(...sequences.map(oldestVersion)),
    carried: sequences.filter(({ trajectory }) => isCarried(trajectory!)).length,
    size: sequences.length,
  };
}
