import { hashText } from '../../random.ts';
import type { Clock } from '../clock.ts';
import { type FailureKind, SequenceFailure } from '../sequence-failure.ts';
import type { Trajectory } from '../trajectory.ts';
import { Attempt, type AttemptOutcome, STOPPED } from './attempt.ts';
import { historyKeys } from './candidates.ts';
import type { Ledger } from './ledger.ts';
import type { GroupState, SequenceState } from './state.ts';
import type {
  Prompt,
  Reward,
  RewardFunction,
  Rollout,
  RolloutResult,
  ScheduledSource,
  SchedulerOptions,
  Sequence,
} from './types.ts';
import { validateRollout } from './validate-rollout.ts';
import { oldestVersion } from './versions.ts';

export interface RunnerParts {
  rollout: Rollout;
  reward: RewardFunction;
  options: SchedulerOptions;
  clock: Clock;
  ledger: Ledger;
  problemOf(trajectory: Trajectory): string | null;
  sourceOf(group: GroupState): ScheduledSource;
  promptOf(group: GroupState): Promise<Prompt>;
  /** Called when something came of a sequence of this group. */
  changed(group: GroupState): void;
}

interface Work {
  group: GroupState;
  sequence: SequenceState;
}

/** Samples and rewards sequences, as many at once as may be, and records what comes of it. */
export class SequenceRunner {
  readonly #parts: RunnerParts;
  readonly #sampling = new Map<string, { attempt: Attempt<RolloutResult>; version: number }>();
  readonly #rewarding = new Map<string, { abandon(): void }>();
  #whenIdle: (() => void)[] = [];

  constructor(parts: RunnerParts) {
    this.#parts = parts;
  }

  get sampling(): number {
    return this.#sampling.size;
  }

  /** The version that began to sample it in this process; Infinity if it is not being sampled. */
  startedAt(sequence: string): number {
    return this.#sampling.get(sequence)?.version ?? Infinity;
  }

  startRewards(): void {
    const { options } = this.#parts;
    for (const work of this.#waiting('reward', this.#rewarding)) {
      if (this.#rewarding.size >= options.rewardConcurrency) return;
      this.#startReward(work);
    }
  }

  startRollouts(): void {
    const { concurrency, rewardConcurrency } = this.#parts.options;
    const unrewarded = this.#waiting('reward', this.#rewarding).length + this.#rewarding.size;
    if (unrewarded > 2 * rewardConcurrency) return;
    for (const work of this.#waiting('sample', this.#sampling)) {
      if (this.#sampling.size >= concurrency) return;
      this.#startRollout(work);
    }
  }

  /** Lets rollouts stop at their next token, and waits until they have. */
  async stopSampling(): Promise<void> {
    for (const { attempt } of this.#sampling.values()) {
      attempt.stop(this.#parts.options.pauseTimeout);
    }
    if (this.#sampling.size > 0) {
      await new Promise<void>((resolve) => this.#whenIdle.push(resolve));
    }
  }

  /** What comes of it is lost. */
  abandon(sequence: string): void {
    this.#sampling.get(sequence)?.attempt.abandon();
    this.#sampling.delete(sequence);
    this.#rewarding.get(sequence)?.abandon();
    this.#rewarding.delete(sequence);
    this.#tellIfIdle();
  }

  abandonAll(): void {
    for (const id of [...this.#sampling.keys(), ...this.#rewarding.keys()]) this.abandon(id);
  }

  /** Those that were begun first go on first; then by priority, then as groups were begun. */
  #waiting(stage: SequenceState['stage'], busy: ReadonlyMap<string, unknown>): Work[] {
    const { ledger, sourceOf } = this.#parts;
    const waiting = ledger.openGroups.flatMap((group) => {
      const { priority } = sourceOf(group);
      return group.sequences
        .filter((sequence) => sequence.stage === stage && !busy.has(sequence.id))
        .map((sequence) => ({ group, sequence, priority, isBegun: sequence.partial !== null }));
    });
    return waiting.sort((a, b) => Number(b.isBegun) - Number(a.isBegun) || b.priority - a.priority);
  }

  #startRollout(work: Work): void {
    const { clock, options, rollout, ledger, changed, problemOf } = this.#parts;
    const { group, sequence } = work;
    const version = Math.min(oldestVersion(sequence), ledger.summary.version);
    const sample = async (signal: AbortSignal) => {
      const asked = await this.#describe(work);
      const result = await rollout(asked, signal);
      validateRollout(asked, result, problemOf);
      return result;
    };
    const attempt = new Attempt(clock, options.rolloutTimeout, sample, (outcome) => {
      this.#sampling.delete(sequence.id);
      this.#afterRollout(work, outcome, attempt.wasStopped);
      changed(group);
      this.#tellIfIdle();
    });
    this.#sampling.set(sequence.id, { attempt, version });
  }

  #afterRollout(work: Work, outcome: AttemptOutcome<RolloutResult>, wasStopped: boolean): void {
    if (outcome.status === 'timed-out') {
      const problem = wasStopped ? 'it does not stop when told to' : 'it took too long';
      this.#fail(work, new SequenceFailure('rollout-timeout', problem), 'rollout');
    } else if (outcome.status === 'failed') {
      // One that was stopped with nothing to give goes on from where it was before.
      if (outcome.error !== STOPPED) this.#fail(work, outcome.error, 'rollout');
    } else if (outcome.value.status === 'paused' && !wasStopped) {
      const problem = 'the rollout paused without being told to';
      this.#fail(work, new SequenceFailure('malformed', problem), 'rollout');
    } else {
      this.#keep(work, outcome.value);
    }
  }

  #keep(work: Work, result: RolloutResult): void {
    const sequence = work.sequence.id;
    try {
      if (result.status === 'paused') {
        this.#parts.ledger.record({ type: 'paused', sequence, partial: result.partial });
      } else {
        const { trajectory, response } = result;
        this.#parts.ledger.record({ type: 'finished', sequence, trajectory, response });
      }
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
      const problem = `the rollout left what is no JSON: ${error.message}`;
      this.#fail(work, new SequenceFailure('malformed', problem), 'rollout');
    }
  }

  #startReward(work: Work): void {
    const { clock, options, reward, ledger, sourceOf, changed } = this.#parts;
    const { group, sequence } = work;
    const judge = async (signal: AbortSignal) => {
      const asked = await this.#describe(work);
      const given = checkReward(await reward(asked, sequence.response!, signal));
      return { reward: given, histories: historyKeys(sourceOf(group), asked.prompt) };
    };
    const attempt = new Attempt(clock, options.rewardTimeout, judge, (outcome) => {
      this.#rewarding.delete(sequence.id);
      if (outcome.status === 'done') {
        ledger.record({ type: 'rewarded', sequence: sequence.id, ...outcome.value });
      } else {
        const tooLong = new SequenceFailure('reward-timeout', 'the reward took too long');
        this.#fail(work, outcome.status === 'failed' ? outcome.error : tooLong, 'reward');
      }
      changed(group);
    });
    this.#rewarding.set(sequence.id, attempt);
  }

  #fail({ sequence }: Work, error: unknown, phase: 'rollout' | 'reward'): void {
    const { ledger, options } = this.#parts;
    const kind: FailureKind = error instanceof SequenceFailure ? error.kind : phase;
    const message = error instanceof Error ? error.message : String(error);
    const again = phase === 'reward' ? 'reward' : 'sample';
    const then = sequence.failures < options.retries ? again : 'drop';
    ledger.record({ type: 'failed', sequence: sequence.id, kind, message, then });
  }

  async #describe({ group, sequence }: Work): Promise<Sequence> {
    const { sourceOf, promptOf, ledger } = this.#parts;
    const { domain, maxTokens, temperature } = sourceOf(group);
    const { id, attempt, partial } = sequence;
    const prompt = await promptOf(group);
    const seed = hashText(`${ledger.summary.seed} ${id} ${attempt}`);
    const limits = { maxTokens, temperature };
    const { source } = group;
    return { id, group: group.id, source, domain, prompt, attempt, seed, ...limits, partial };
  }

  #tellIfIdle(): void {
    if (this.#sampling.size > 0) return;
    for (const tell of this.#whenIdle.splice(0)) tell();
  }
}

function checkReward(reward: Reward): Reward {
  if (!Number.isFinite(reward?.value) || typeof reward.passed !== 'boolean') {
    throw new SequenceFailure('reward', `the reward is ${reward?.value}, passed ${reward?.passed}`);
  }
  return reward;
}
