import type { Random } from '../random.ts';
import type { ConstrainedOutput } from './constrained-output.ts';
import type { DecoderSequence } from './decoder-sequence.ts';
import type { LogitChanges } from './logit-changes.ts';
import type { PromptReport } from './prompt-report.ts';
import type { Snapshot } from './row-ranges.ts';
import type { SamplingOptions } from './sampling.ts';

/** One sequence of a step, and how its tokens are drawn. */
export interface StepRequest {
  sequence: DecoderSequence;
  sampling: SamplingOptions;
  /** Each step draws the same number of times for the same number of drafts. */
  random: Random;
  /** Penalties and biases. */
  changes?: LogitChanges | null;
  /** What may be said. */
  constraint?: ConstrainedOutput | null;
  /** Scores its tokens, and gives the most probable ones. */
  scores?: { top: number } | undefined;
  /** Gives the experts that its tokens were routed to. */
  routes?: boolean;
}

/** Tokens of a sequence that are to pass the trunk, from its length on, up to `end`. */
export interface PromptPart {
  sequence: DecoderSequence;
  end: number;
  /** Is told about them. */
  report?: PromptReport | null;
  /** To be taken on the way, none after `end`. */
  snapshots?: readonly Snapshot[];
}
