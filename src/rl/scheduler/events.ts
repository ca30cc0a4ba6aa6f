/**
 * All that ever happens to a scheduler's state. The journal is a list of these, and the state is what
 * `applyEvent` makes of them: so a run that was killed stands where the last of them left it.
 */
import type { ChatMessage } from '../../text/chat-messages.ts';
import type { FailureKind } from '../sequence-failure.ts';
import type { Trajectory } from '../trajectory.ts';
import type { GroupState, StateSummary } from './state.ts';
import type { PartialRollout, Reward } from './types.ts';

export type ReplaceReason = 'tooHard' | 'tooEasy' | 'tooFew';

export type SchedulerEvent =
  /** First in every journal: everything but the groups, which follow. */
  | { type: 'state'; summary: StateSummary }
  | { type: 'kept'; group: GroupState }
  /** A group was begun on a candidate of a source, of this kind, after so many were passed over. */
  | {
      type: 'begun';
      source: string;
      index: number;
      cell: string;
      skipped: number;
      size: number;
    }
  | { type: 'paused'; sequence: string; partial: PartialRollout }
  | {
      type: 'finished';
      sequence: string;
      trajectory: Trajectory;
      response: readonly ChatMessage[];
    }
  /** `histories`: what its pass or failure is counted under. */
  | { type: 'rewarded'; sequence: string; reward: Reward; histories: readonly string[] }
  | { type: 'failed'; sequence: string; kind: FailureKind; message: string; then: AfterFailure }
  /** Its tokens were too old. */
  | { type: 'stale'; sequence: string; then: 'sample' | 'drop' }
  | { type: 'accepted'; group: string }
  /** `charged`: whether it counts towards the quota of its source all the same. */
  | { type: 'replaced'; group: string; reason: ReplaceReason; charged: boolean }
  | { type: 'batch'; number: number; groups: readonly string[] }
  | { type: 'committed'; batch: number }
  | { type: 'version'; version: number }
  /** A sequence of a batch could not be used. */
  | { type: 'reported'; sequence: string; kind: FailureKind; message: string };

export type AfterFailure = 'sample' | 'reward' | 'drop';
