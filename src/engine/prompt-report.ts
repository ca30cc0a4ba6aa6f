import { joinRoutes, type ScoredToken } from './token-reports.ts';

export interface PromptReportOptions {
  /** Scores the tokens from position `from` on. */
  promptLogprobs?: { top: number; from: number };
  /** Gives the routes of the positions from `from` on. */
  routedExperts?: { from: number };
}

/** Rows count from the first that passes the model now. */
export interface Wanted {
  /** The tokens to score, the first of which comes after row `from`. */
  scored: { from: number; ids: readonly number[] };
  /** Rows whose routes are wanted. */
  routed: { from: number; to: number };
  /** How many of the most probable tokens to name. */
  top: number;
}

/**
 * What was asked for about the tokens of a prompt, gathered while its chunks pass the model. A prompt
 * that passes again, after its memory was given to another, leaves what is there.
 */
export class PromptReport {
  readonly #prompt: readonly number[];
  readonly #asked: PromptReportOptions;
  readonly #scores: (ScoredToken | null)[] = [];
  readonly #routes: Int32Array[] = [];
  /** The next token to score and the next position whose routes are wanted. */
  #next: { score: number; route: number };

  constructor(prompt: readonly number[], asked: PromptReportOptions) {
    this.#prompt = prompt;
    this.#asked = asked;
    const { promptLogprobs, routedExperts } = asked;
    this.#next = {
      score: promptLogprobs?.from ?? prompt.length,
      route: routedExperts?.from ?? prompt.length,
    };
    if (this.#next.score === 0) {
      // Nothing comes before the first token that could say how probable it is.
      this.#scores.push(null);
      this.#next.score = 1;
    }
  }

  /** The first position that has to pass the model, whatever is in caches. */
  get firstPosition(): number {
    return Math.min(this.#next.score - 1, this.#next.route);
  }

  /** Of the positions that routes were asked for, as far as they have passed. */
  get routes(): readonly Int32Array[] {
    return this.#routes;
  }

  /** Takes routes of positions from `first` on that passed the model in an earlier turn. */
  recall(routes: readonly Int32Array[], first: number): void {
    const { route } = this.#next;
    if (!this.#asked.routedExperts || route < first) return;
    const known = routes.slice(route - first);
    for (const row of known) this.#routes.push(row);
    this.#next.route += known.length;
  }

  /** As the events of an answer have them. */
  get result(): { logprobs?: (ScoredToken | null)[]; experts?: Int32Array } {
    return {
      ...(this.#asked.promptLogprobs && { logprobs: this.#scores }),
      ...(this.#asked.routedExperts && { experts: joinRoutes(this.#routes) }),
    };
  }

  /** What it wants of the positions [begin, end) that pass the model; null for nothing. */
  want(begin: number, end: number): Wanted | null {
    // The prompt's last position passes the model with the first step.
    const last = Math.min(end, this.#prompt.length - 1);
    const first = Math.max(begin, this.#next.score - 1);
    const firstRouted = Math.max(begin, this.#next.route);
    if (first >= last && firstRouted >= last) return null;
    return {
      scored: { from: first - begin, ids: this.#prompt.slice(first + 1, last + 1) },
      routed: { from: firstRouted - begin, to: Math.max(firstRouted, last) - begin },
      top: this.#asked.promptLogprobs?.top ?? 0,
    };
  }

  /** Takes what it wanted. */
  give(scores: readonly ScoredToken[], routes: readonly Int32Array[]): void {
    for (const score of scores) this.#scores.push(score);
    this.#next.score += scores.length;
    for (const row of routes) this.#routes.push(row);
    this.#next.route += routes.length;
  }
}
