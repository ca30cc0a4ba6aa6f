/**
 * What the data scheduler and its users tell each other. The scheduler knows prompts, groups, versions
 * and failures; it knows neither models nor tools nor algorithms.
 */
import type { Problem } from '../../tasks/index.ts';
import type { ChatMessage } from '../../text/chat-messages.ts';
import type { Rubric } from '../judge/rubric.ts';
import type { FailureKind, SequenceFailure } from '../sequence-failure.ts';
import type { Trajectory } from '../trajectory.ts';

/** Something to ask. */
export interface Prompt {
  problem: Problem;
  /** Whose pass rates are counted together: family/level/language/mode, or the source. */
  cell: string;
  /** What this prompt's own pass rate is kept under; null where prompts never come again. */
  key: string | null;
  /** What a judge goes by; null where `problem.verify` decides. */
  rubric: Rubric | null;
}

/** Where prompts come from. */
export interface PromptSource {
  /** Changes when the same index would give another prompt. */
  fingerprint: string;
  /** Candidate number `index`, without end: always the same for the same index. */
  prompt(index: number): Promise<Prompt>;
}

export interface ScheduledSource {
  /** Unique in a run. */
  name: string;
  /** Which teacher its sequences are for. */
  domain: string;
  prompts: PromptSource;
  /** Share of all groups, relative to the other sources'. */
  quota: number;
  /** Of two sources with room, the one of higher priority is begun with, and rewarded, first. */
  priority: number;
  /** Most tokens that a sequence may sample, over all its turns. */
  maxTokens: number;
  temperature: number;
  /** Groups with another share of passes are replaced; both ends belong to it. */
  passRate: readonly [low: number, high: number];
}

/** One answer that is to be sampled: the unit of scheduling. */
export interface Sequence {
  /** Unique in a run; the same after a restart. */
  id: string;
  group: string;
  source: string;
  domain: string;
  prompt: Prompt;
  /** 0 at first; one more whenever it is begun anew. */
  attempt: number;
  /** 32 bits that depend on the run's seed, `id` and `attempt` only. */
  seed: number;
  maxTokens: number;
  temperature: number;
  /** What an earlier step left; null to begin with the prompt. */
  partial: PartialRollout | null;
}

/** As much of a trajectory as there is, and what else it takes to go on. */
export interface PartialRollout
  extends Pick<Trajectory, 'tokens' | 'sampled' | 'logprobs' | 'versions' | 'routes'> {
  /** Not read by the scheduler; must survive JSON. Tools are gone by then: keep their calls. */
  state: unknown;
}

export type RolloutResult =
  | {
      status: 'finished';
      /** With the sequence's `id`, `group` and `domain`, and no reward. */
      trajectory: Trajectory;
      /** The messages after the prompt, as `problem.verify` takes them; must survive JSON. */
      response: readonly ChatMessage[];
    }
  | { status: 'paused'; partial: PartialRollout };

/**
 * Samples one sequence. When `signal` is aborted it stops at the next token and gives what there is.
 *
 * @throws SequenceFailure to say what failed
 */
export type Rollout = (sequence: Sequence, signal: AbortSignal) => Promise<RolloutResult>;

export interface Reward {
  value: number;
  /** What pass rates count. */
  passed: boolean;
  /** One line for people. */
  reason: string;
}

/** Judges a finished sequence, while others are sampled. */
export type RewardFunction = (
  sequence: Sequence,
  response: readonly ChatMessage[],
  signal: AbortSignal,
) => Promise<Reward>;

export interface SchedulerOptions {
  seed: number;
  /** Groups of a batch. */
  groups: number;
  /** Sequences of a group. */
  groupSize: number;
  /** Fewest sequences of a group that are left when others failed; a group with fewer is replaced. */
  minGroupSize: number;
  /** Whether groups whose rewards are all the same are replaced. */
  requireSignal: boolean;
  /** Groups begun beyond those of a batch, so that it need not wait for the slowest. */
  groupsAhead: number;
  /** Whether sampling goes on while the trainer trains; if not, only `next` samples. */
  overlap: boolean;
  /** Sequences sampled at once. */
  concurrency: number;
  /** Rewards computed at once; nothing new is begun while more than twice as many wait. */
  rewardConcurrency: number;
  /** Most versions between a token of a batch and the weights that are trained on it. */
  maxStaleness: number;
  /** Largest share of a batch's sequences that may hold tokens of more than one version. */
  maxCarriedShare: number;
  /**
   * How long a batch that could be given waits for sequences that would be too stale for the next and so
   * be begun anew, in milliseconds. Beginning anew prefers what is short; waiting does not.
   */
  maxWait: number;
  /** Of one part of a sequence between two pauses, in milliseconds. */
  rolloutTimeout: number;
  rewardTimeout: number;
  /** How long a rollout may take to stop when it is told to, in milliseconds. */
  pauseTimeout: number;
  /** How often a sequence that failed is tried again, and how often one that became too stale. */
  retries: number;
  /** Share of the last attempts that may fail before the run stops. */
  maxFailures: number;
  /** Groups that may be replaced one after another before the run stops. */
  maxReplaced: number;
}

export interface FinishedGroup {
  id: string;
  source: string;
  domain: string;
  prompt: Prompt;
  /** With rewards; at least `minGroupSize`, in order. */
  trajectories: Trajectory[];
}

export interface ScheduledBatch {
  /** Counts from 1. */
  number: number;
  groups: FinishedGroup[];
}

/**
 * What a training loop sees:
 *
 *     for (;;) {
 *       const batch = await scheduler.next();
 *       …train, bring the new weights to the engine…
 *       scheduler.advance(batch.number);
 *       …now and then: save a checkpoint that says how many batches it has seen, then
 *       await scheduler.commit(batch.number);
 *     }
 *
 * With `overlap` sampling goes on meanwhile, except between `pause` and `advance`; without, nothing is
 * sampled but while `next` is awaited. Opened again after a kill with the number of batches that the
 * trainer's checkpoint has seen, it gives the later ones again as they were, and then goes on.
 */
export interface DataScheduler {
  /**
   * The next batch, as soon as there are enough whole groups.
   *
   * @throws UserError when too much fails or too many groups are replaced
   */
  next(): Promise<ScheduledBatch>;
  /** Stops sampling at the next token and keeps what there is; rewards go on. */
  pause(): Promise<void>;
  /** Says that tokens are from now on sampled by weights of this version; ends a pause. */
  advance(version: number): void;
  /** Forgets batches up to this one, which a checkpoint has seen; on the disk when it returns. */
  commit(batch: number): Promise<void>;
  /**
   * Counts a sequence of a batch that could not be used after all, as when its teacher died.
   *
   * @throws UserError when too much fails
   */
  report(sequence: string, failure: SequenceFailure): void;
  figures(): SchedulerFigures;
  /** Keeps what there is; nothing may be called afterwards. */
  close(): Promise<void>;
}

/** So far, over all of a run's processes. */
export interface SourceFigures {
  /** Groups begun, given in batches, and replaced since they were too hard, too easy, or had no signal. */
  begun: number;
  given: number;
  tooHard: number;
  tooEasy: number;
  /** Groups replaced because too few of their sequences were left. */
  tooFew: number;
  /** Candidates passed over because of their pass rates. */
  skipped: number;
}

export interface SchedulerFigures {
  version: number;
  batches: number;
  /** Sequences by where they are now. */
  sequences: { waiting: number; sampling: number; rewarding: number; ready: number };
  sources: Record<string, SourceFigures>;
  /** Attempts that failed, by reason, and how many sequences were dropped after the last. */
  failures: Partial<Record<FailureKind, number>>;
  dropped: number;
  /** Sequences begun anew because their tokens were too old. */
  restarted: number;
  /** For how long the last batch was held back for sequences that were about to be too old (`maxWait`). */
  held: number;
  /** Pass rate by cell, of which recent attempts count more. */
  passRates: Record<string, { rate: number; count: number }>;
}
