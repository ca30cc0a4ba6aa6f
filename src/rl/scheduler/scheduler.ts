import { type Clock, systemClock } from '../clock.ts';
import type { SequenceFailure } from '../sequence-failure.ts';
import type { Trajectory } from '../trajectory.ts';
import { BatchHold } from './batch-hold.ts';
import { checkSources, chooseSource, nextCandidate } from './candidates.ts';
import { chooseGroups, readySequences } from './choose-groups.ts';
import { schedulerFigures } from './figures.ts';
import { GroupKeeper } from './group-keeper.ts';
import type { Journal } from './journal.ts';
import { checkLimits } from './judge-group.ts';
import { Ledger } from './ledger.ts';
import { PromptCache } from './prompt-cache.ts';
import { SequenceRunner } from './runner.ts';
import type { GroupState } from './state.ts';
import type {
  DataScheduler,
  FinishedGroup,
  RewardFunction,
  Rollout,
  ScheduledBatch,
  ScheduledSource,
  SchedulerFigures,
  SchedulerOptions,
} from './types.ts';

export interface SchedulerParts {
  sources: readonly ScheduledSource[];
  rollout: Rollout;
  reward: RewardFunction;
  options: SchedulerOptions;
  journal: Journal;
  /** Batches that the trainer's checkpoint has seen; 0 for a new run. */
  trained: number;
  /** What is wrong with a trajectory for the model that is trained; by default nothing. */
  problemOf?: (trajectory: Trajectory) => string | null;
  clock?: Clock;
}

/**
 * Schedules sequences, not batches: whole groups go to the trainer as soon as there are enough of them,
 * and what is still being sampled is carried over to the next step. See `DataScheduler`.
 */
export class SequenceScheduler implements DataScheduler {
  readonly #sources: ReadonlyMap<string, ScheduledSource>;
  readonly #options: SchedulerOptions;
  readonly #ledger: Ledger;
  readonly #runner: SequenceRunner;
  readonly #keeper: GroupKeeper;
  readonly #prompts: PromptCache;
  /** For sequences that would be too stale for the batch after. */
  readonly #hold: BatchHold;
  /** Batches that were given before the last kill, and are given again. */
  readonly #again: number[];
  #isSampling = false;
  #isBeginning = false;
  #waiter: PromiseWithResolvers<ScheduledBatch> | null = null;
  #end: Error | null = null;

  /** @throws UserError when the journal is damaged, another run's, or not of this checkpoint, or a source is of no use */
  static async open(parts: SchedulerParts): Promise<SequenceScheduler> {
    const { sources, journal, options, trained } = parts;
    checkSources(sources, options);
    const fingerprints = sources.map(({ name, prompts }) => [name, prompts.fingerprint]);
    const ledger = await Ledger.open(
      journal,
      options.seed,
      Object.fromEntries(fingerprints),
      trained,
    );
    return new SequenceScheduler(parts, ledger);
  }

  private constructor(parts: SchedulerParts, ledger: Ledger) {
    const {
      sources,
      rollout,
      reward,
      options,
      clock = systemClock,
      problemOf = () => null,
    } = parts;
    this.#sources = new Map(sources.map((source) => [source.name, source]));
    this.#options = options;
    this.#ledger = ledger;
    this.#prompts = new PromptCache(this.#sources);
    this.#hold = new BatchHold(clock, options.maxWait, () => this.#guard(() => this.#goOn()));
    this.#runner = new SequenceRunner({
      ...{ rollout, reward, options, clock, ledger, problemOf },
      sourceOf: (group) => this.#sources.get(group.source)!,
      promptOf: (group) => this.#prompts.of(group),
      changed: (group) => this.#guard(() => this.#afterChange(group)),
    });
    this.#keeper = new GroupKeeper(ledger, this.#runner, this.#sources, options);
    const { committed, batches } = ledger.summary;
    this.#again = Array.from({ length: batches - committed }, (_, i) => committed + 1 + i);
    // The process before may have been killed before it could.
    this.#guard(() => this.#keeper.dropStale());
  }

  async next(): Promise<ScheduledBatch> {
    if (this.#end) throw this.#end;
    if (this.#waiter) throw new Error('the batch before is still awaited');
    const again = this.#again.shift();
    if (again !== undefined) return this.#batch(again);
    const waiter = Promise.withResolvers<ScheduledBatch>();
    this.#waiter = waiter;
    this.#isSampling = true;
    this.#guard(() => this.#goOn());
    return waiter.promise;
  }

  async pause(): Promise<void> {
    this.#isSampling = false;
    await this.#runner.stopSampling();
    await this.#ledger.flush();
  }

  advance(version: number): void {
    if (this.#end) throw this.#end;
    this.#guard(() => {
      this.#ledger.record({ type: 'version', version });
      this.#keeper.dropStale();
      this.#afterSettling();
      if (this.#options.overlap && this.#again.length === 0) this.#isSampling = true;
      this.#goOn();
    });
  }

  async commit(batch: number): Promise<void> {
    const { committed, batches } = this.#ledger.summary;
    if (batch < committed || batch > batches) {
      throw new Error(`batch ${batch} is not one of ${committed} to ${batches}`);
    }
    this.#ledger.record({ type: 'committed', batch });
    this.#prompts.keepOnly((group) => this.#ledger.has(group));
    await this.#ledger.compact();
  }

  report(sequence: string, { kind, message }: SequenceFailure): void {
    this.#ledger.record({ type: 'reported', sequence, kind, message });
    checkLimits(this.#ledger.summary, this.#options);
  }

  figures(): SchedulerFigures {
    return schedulerFigures(this.#ledger, this.#runner.sampling, this.#hold.held);
  }

  async close(): Promise<void> {
    await this.pause();
    this.#stop(new Error('the scheduler is closed'));
    await this.#ledger.close();
  }

  /** Whatever can be done now. */
  #goOn(): void {
    if (this.#end) return;
    this.#runner.startRewards();
    this.#offerBatch();
    if (!this.#isSampling) return;
    this.#runner.startRollouts();
    void this.#beginGroups();
  }

  #afterChange(group: GroupState): void {
    if (this.#end) return;
    this.#keeper.settle(group);
    this.#afterSettling();
    this.#goOn();
  }

  #afterSettling(): void {
    checkLimits(this.#ledger.summary, this.#options);
    this.#prompts.keepOnly((group) => this.#ledger.has(group));
  }

  /** Begins groups while there is room for more. */
  async #beginGroups(): Promise<void> {
    if (this.#isBeginning) return;
    this.#isBeginning = true;
    try {
      while (this.#isSampling && !this.#end && this.#hasRoom()) {
        const { summary } = this.#ledger;
        const source = chooseSource([...this.#sources.values()], summary.sources);
        const { index, skipped, prompt } = await nextCandidate(source, summary, this.#options);
        if (!this.#isSampling || this.#end) return;
        const { groupSize: size } = this.#options;
        const { cell } = prompt;
        this.#ledger.record({ type: 'begun', source: source.name, index, cell, skipped, size });
        this.#runner.startRollouts();
      }
    } catch (error) {
      this.#stop(error);
    } finally {
      this.#isBeginning = false;
    }
  }

  #hasRoom(): boolean {
    const { groups, groupsAhead } = this.#options;
    const open = this.#ledger.openGroups;
    // Groups that do not fit a batch, for too many are carried, take nobody's room.
    const accepted = open.filter(({ isAccepted }) => isAccepted);
    const fit = this.#choose(accepted).length;
    const unfit = fit < groups ? accepted.length - fit : 0;
    return open.length - unfit < groups + groupsAhead;
  }

  #choose(accepted: readonly GroupState[]): GroupState[] {
    const { groups, maxCarriedShare } = this.#options;
    const priorityOf = ({ source }: GroupState) => this.#sources.get(source)!.priority;
    return chooseGroups(accepted, { groups, maxCarriedShare, priorityOf });
  }

  #offerBatch(): void {
    if (!this.#waiter) return;
    const chosen = this.#choose(this.#ledger.openGroups.filter(({ isAccepted }) => isAccepted));
    if (chosen.length < this.#options.groups) return;
    if (this.#keeper.wouldLose && this.#hold.holds()) return;
    this.#hold.reset();
    const number = this.#ledger.summary.batches + 1;
    this.#ledger.record({ type: 'batch', number, groups: chosen.map(({ id }) => id) });
    const waiter = this.#waiter;
    this.#waiter = null;
    if (!this.#options.overlap) this.#isSampling = false;
    this.#give(number).then(waiter.resolve, waiter.reject);
  }

  /** On the disk before anybody is told of it. */
  async #give(number: number): Promise<ScheduledBatch> {
    if (!this.#options.overlap) await this.#runner.stopSampling();
    await this.#ledger.flush();
    return this.#batch(number);
  }

  async #batch(number: number): Promise<ScheduledBatch> {
    const finished = async (group: GroupState): Promise<FinishedGroup> => ({
      id: group.id,
      source: group.source,
      domain: this.#sources.get(group.source)!.domain,
      prompt: await this.#prompts.of(group),
      trajectories: readySequences(group).map(({ trajectory }) => trajectory!),
    });
    return { number, groups: await Promise.all(this.#ledger.batchGroups(number).map(finished)) };
  }

  /** What fails here is the run and not a sequence. */
  #guard(action: () => void): void {
    try {
      action();
    } catch (error) {
      this.#stop(error);
    }
  }

  #stop(error: unknown): void {
    this.#end ??= error instanceof Error ? error : new Error(String(error));
    this.#isSampling = false;
    this.#hold.reset();
    this.#runner.abandonAll();
    this.#waiter?.reject(this.#end);
    this.#waiter = null;
  }
}
