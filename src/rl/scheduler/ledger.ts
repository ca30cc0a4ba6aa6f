import { UserError } from '../../errors.ts';
import type { SchedulerEvent } from './events.ts';
import type { Journal } from './journal.ts';
import {
  applyEvent,
  type GroupState,
  groupOf,
  newSummary,
  type SchedulerState,
  type SequenceState,
  type StateSummary,
  snapshot,
} from './state.ts';

/** A scheduler's state together with the journal that keeps it. */
export class Ledger {
  readonly #journal: Journal;
  readonly #state: SchedulerState;

  /**
   * @param fingerprints of the sources, by name
   * @param trained batches that the trainer's checkpoint has seen
   * @throws UserError when the journal is damaged, or another run's
   */
  static async open(
    journal: Journal,
    seed: number,
    fingerprints: Record<string, string>,
    trained: number,
  ): Promise<Ledger> {
    const state: SchedulerState = { summary: newSummary(seed, fingerprints), groups: new Map() };
    let isNew = true;
    for await (const event of journal.read()) {
      isNew = false;
      applyEvent(state, event);
    }
    const ledger = new Ledger(journal, state);
    const { summary } = state;
    if (isNew) for (const event of snapshot(state)) journal.append(event);
    else checkSame(summary, seed, fingerprints);
    const { committed, batches } = summary;
    if (trained < committed || trained > batches) {
      throw new UserError(
        `the checkpoint has seen ${trained} batches, but what was sampled is that of batches ` +
          `${committed} to ${batches}; go on from a checkpoint of these, or remove the journal`,
      );
    }
    if (trained > committed) ledger.record({ type: 'committed', batch: trained });
    if (trained !== summary.version) ledger.record({ type: 'version', version: trained });
    return ledger;
  }

  private constructor(journal: Journal, state: SchedulerState) {
    this.#journal = journal;
    this.#state = state;
  }

  get summary(): StateSummary {
    return this.#state.summary;
  }

  /** Those that are in no batch yet, in order. */
  get openGroups(): GroupState[] {
    return [...this.#state.groups.values()].filter(({ batch }) => batch === null);
  }

  batchGroups(number: number): GroupState[] {
    return [...this.#state.groups.values()].filter(({ batch }) => batch === number);
  }

  /** Null when its group was replaced. */
  find(sequence: string): { group: GroupState; sequence: SequenceState } | null {
    const group = this.#state.groups.get(groupOf(sequence));
    const found = group?.sequences.find(({ id }) => id === sequence);
    return group && found ? { group, sequence: found } : null;
  }

  has(group: string): boolean {
    return this.#state.groups.has(group);
  }

  /** @throws TypeError if it is no JSON; then nothing has changed */
  record(event: SchedulerEvent): void {
    this.#journal.append(event);
    applyEvent(this.#state, event);
  }

  /** Everything so far is on the disk when it returns. */
  flush(): Promise<void> {
    return this.#journal.flush();
  }

  /** As `flush`, and the journal holds nothing any more that is no longer needed. */
  compact(): Promise<void> {
    return this.#journal.rewrite(snapshot(this.#state));
  }

  close(): Promise<void> {
    return this.#journal.close();
  }
}

function checkSame(
  summary: StateSummary,
  seed: number,
  fingerprints: Record<string, string>,
): void {
  if (summary.seed !== seed) {
    throw new UserError(
      `the journal is of a run with seed ${summary.seed} and not ${seed}; go on with that seed, or remove the journal`,
    );
  }
  const names = new Set([...Object.keys(summary.fingerprints), ...Object.keys(fingerprints)]);
  for (const name of names) {
    if (summary.fingerprints[name] === fingerprints[name]) continue;
    throw new UserError(
      `source ${name} is not what it was when sampling began; put it back, or remove the journal`,
    );
  }
}
