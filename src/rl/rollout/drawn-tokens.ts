import type { GenerationStep } from '../../engine/generation.ts';
import { GenerationStatistics } from '../../engine/statistics.ts';

/** What was drawn in some time, over all rollouts. */
export interface DrawnFigures {
  tokens: number;
  /** Tokens of a pass that verified drafts; null if none did. */
  acceptanceLength: number | null;
  /** By head: how often its drafts were right where those before it were. */
  hitRates: number[];
}

/** Counts the tokens that rollouts draw, from one `take` to the next. */
export class DrawnTokens {
  #statistics = new GenerationStatistics();

  add(step: GenerationStep): void {
    this.#statistics.add(step);
  }

  take(): DrawnFigures {
    const { tokens, acceptanceLength, hitRates } = this.#statistics;
    this.#statistics = new GenerationStatistics();
    return { tokens, acceptanceLength, hitRates };
  }
}
