import { judgeGroup } from './judge-group.ts';
import type { Ledger } from './ledger.ts';
import type { SequenceRunner } from './runner.ts';
import type { GroupState, SequenceState } from './state.ts';
import type { ScheduledSource, SchedulerOptions } from './types.ts';
import { oldestVersion } from './versions.ts';

/** Groups of a source that are replaced in a row before they count towards its quota. */
const MOST_REPLACED = 8;

/** Sees to it that groups are accepted or replaced, and that what is too old goes. */
export class GroupKeeper {
  readonly #ledger: Ledger;
  readonly #runner: SequenceRunner;
  readonly #sources: ReadonlyMap<string, ScheduledSource>;
  readonly #options: SchedulerOptions;

  constructor(
    ledger: Ledger,
    runner: SequenceRunner,
    sources: ReadonlyMap<string, ScheduledSource>,
    options: SchedulerOptions,
  ) {
    this.#ledger = ledger;
    this.#runner = runner;
    this.#sources = sources;
    this.#options = options;
  }

  /** Accepts or replaces a group if it is whole. */
  settle(group: GroupState): void {
    if (group.isAccepted || !this.#ledger.has(group.id)) return;
    const judged = judgeGroup(group, this.#sources.get(group.source)!, this.#options);
    if (judged === null) return;
    if (judged === 'accepted') {
      this.#ledger.record({ type: 'accepted', group: group.id });
      return;
    }
    for (const { id } of group.sequences) this.#runner.abandon(id);
    const { replacedInARow } = this.#ledger.summary.sources[group.source]!;
    // A source that gives nothing of use does not keep the others from their turns.
    const charged = replacedInARow >= MOST_REPLACED;
    this.#ledger.record({ type: 'replaced', group: group.id, reason: judged, charged });
  }

  /** Begins sequences anew, or drops them, that no batch could hold any more; settles all groups. */
  dropStale(): void {
    const { maxStaleness, retries } = this.#options;
    const oldest = this.#ledger.summary.version - maxStaleness;
    for (const group of this.#ledger.openGroups) {
      for (const sequence of group.sequences) {
        const { id, restarts, stage } = sequence;
        if (stage === 'dropped' || this.#oldestVersion(sequence) >= oldest) continue;
        this.#runner.abandon(id);
        const then = stage === 'ready' || restarts < retries ? 'sample' : 'drop';
        this.#ledger.record({ type: 'stale', sequence: id, then });
      }
      this.settle(group);
    }
  }

  /** Whether a sequence that is not ready yet would be too stale once the version is the next. */
  get wouldLose(): boolean {
    const oldest = this.#ledger.summary.version + 1 - this.#options.maxStaleness;
    return this.#ledger.openGroups.some(({ sequences }) =>
      sequences.some(
        (sequence) =>
          (sequence.stage === 'sample' || sequence.stage === 'reward') &&
          this.#oldestVersion(sequence) < oldest,
      ),
    );
  }

  /** Also of tokens that are just being sampled. */
  #oldestVersion(sequence: SequenceState): number {
    return Math.min(oldestVersion(sequence), this.#runner.startedAt(sequence.id));
  }
}
