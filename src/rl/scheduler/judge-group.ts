import { UserError } from '../../errors.ts';
import { readySequences } from './choose-groups.ts';
import type { ReplaceReason } from './events.ts';
import type { GroupState, StateSummary } from './state.ts';
import type { ScheduledSource, SchedulerOptions } from './types.ts';

/** What becomes of a group; null while that is open. */
export function judgeGroup(
  group: GroupState,
  { passRate: [low, high] }: ScheduledSource,
  { minGroupSize, requireSignal }: SchedulerOptions,
): 'accepted' | ReplaceReason | null {
  const left = group.sequences.filter(({ stage }) => stage !== 'dropped');
  if (left.length < minGroupSize) return 'tooFew';
  const ready = readySequences(group);
  if (ready.length < left.length) return null;
  const rate = ready.filter(({ passed }) => passed).length / ready.length;
  if (rate < low) return 'tooHard';
  if (rate > high) return 'tooEasy';
  const rewards = new Set(ready.map(({ trajectory }) => trajectory!.reward));
  if (requireSignal && rewards.size === 1) return rate < 0.5 ? 'tooHard' : 'tooEasy';
  return 'accepted';
}

/** Attempts before a share of failures means anything. */
const FEW_ATTEMPTS = 20;

/**
 * The share is of the last attempts: of so many, or of as many as a batch has. What a trainer reports comes
 * all at once, and one dead teacher of six is a sixth of a batch, but all of what happened last.
 */
const WINDOW = 100;

/** @throws UserError when a run is not worth going on with */
export function checkLimits(
  { recent: remembered, failures, lastFailure, replacedInARow, sources }: StateSummary,
  { groups, groupSize, maxFailures, maxReplaced }: SchedulerOptions,
): void {
  const recent = remembered.slice(-Math.max(WINDOW, groups * groupSize));
  const failed = recent.filter(Boolean).length;
  if (recent.length >= FEW_ATTEMPTS && failed > maxFailures * recent.length) {
    throw new UserError(
      `${failed} of the last ${recent.length} sequences failed, more than maxFailures ` +
        `(${maxFailures}) allows; so far ${listed(failures)}; the last was ${lastFailure}`,
    );
  }
  if (replacedInARow > maxReplaced) {
    const reasons = Object.entries(sources).map(
      ([name, { tooHard, tooEasy, tooFew }]) => `${name}: ${listed({ tooHard, tooEasy, tooFew })}`,
    );
    throw new UserError(
      `the last ${replacedInARow} groups were of no use, more than maxReplaced (${maxReplaced}) ` +
        `allows; so far ${reasons.join('; ')}; choose other levels or a wider passRate`,
    );
  }
}

function listed(counts: Partial<Record<string, number>>): string {
  const parts = Object.entries(counts).flatMap(([name, count]) =>
    count ? [`${count} ${name}`] : [],
  );
  return parts.join(', ') || 'none';
}
