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
    .sort((a, b) => a.oldest - b.oldest || b.priority - a.priority || a.order - b.order);
  const mostCarried = candidates.reduce((sum, { carried }) => sum + carried, 0);
  let best: typeof candidates = [];
  // What the share allows depends on the size of the groups chosen, some of which have lost sequences.
  for (let limit = mostCarried; limit >= 0 && best.length < groups; limit--) {
    const chosen: typeof candidates = [];
    let carried = 0;
    for (const candidate of candidates) {
      if (chosen.length === groups) break;
      if (carried + candidate.carried > limit) continue;
      chosen.push(candidate);
      carried += candidate.carried;
    }
    const size = chosen.reduce((sum, candidate) => sum + candidate.size, 0);
    if (carried <= maxCarriedShare * size && chosen.length > best.length) best = chosen;
    limit = Math.min(limit, carried);
  }
  return best.map(({ group }) => group);
}

/** Sequences of a group that are left. */
export function readySequences({ sequences }: GroupState): SequenceState[] {
  return sequences.filter(({ stage }) => stage === 'ready');
}

function ageAndSize(group: GroupState): {
  oldest: number;
  carried: number;
  size: number;
  order: number;
} {
  const sequences = readySequences(group);
  return {
    oldest: Math.min(...sequences.map(oldestVersion)),
    carried: sequences.filter(isCarried).length,
    size: sequences.length,
    order: group.order,
  };
}
