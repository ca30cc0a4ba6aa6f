import type { Scope } from '../tensor/scope.ts';
import type { Tensor } from '../tensor/tensor.ts';
import type { OutputHead } from './output-head.ts';
import { Outputs } from './outputs.ts';
import { joinRoutes, routesByRow, type ScoredToken, scoredTokens } from './token-reports.ts';

export interface PromptReportOptions {
  /** Scores the tokens from position `from` on. */
  promptLogprobs?: { top: number; from: number };
  /** Gives the routes of the positions from `from` on. */
  routedExperts?: { from: number };
}

/** Rows whose logits are in memory at once. */
const scoredRows = 128;

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

  /**
   * Takes what there is to take of the positions from `begin` on, of which the trunk gave `hidden` [T,C]
   * and the experts i32 [T,k] of each layer. A function reads it, once all is queued; null for nothing.
   */
  queue(
    scope: Scope,
    head: OutputHead,
    { begin, hidden, experts }: { begin: number; hidden: Tensor; experts: readonly Tensor[] },
  ): (() => Promise<void>) | null {
    // The prompt's last position passes the model with the first step.
    const end = Math.min(begin + hidden.rows, this.#prompt.length - 1);
    const first = Math.max(begin, this.#next.score - 1);
    const firstRouted = Math.max(begin, this.#next.route);
    const ids = first < end ? this.#prompt.slice(first + 1, end + 1) : [];
    const routed = firstRouted < end ? experts : [];
    if (ids.length + routed.length === 0) return null;

    const outputs = new Outputs(scope);
    const top = this.#asked.promptLogprobs?.top ?? 0;
    const logprobs = outputs.plan([ids.length, 1 + top], 'f32');
    const best = outputs.plan([ids.length, top], 'i32');
    const layers = routed.map((layer) => layer.slice(firstRouted - begin, end - begin));
    const routes = layers.map(({ shape }) => outputs.plan(shape, 'i32'));
    if (ids.length > 0) {
      const out = { logprobs: outputs.tensor(logprobs), top: outputs.tensor(best) };
      const rows = hidden.slice(first - begin, end - begin);
      scoreRows(scope, head, rows, ids, out);
    }
    for (const [i, source] of layers.entries()) {
      scope.device.kernels.copy({ source, out: outputs.tensor(routes[i]!) });
    }
    return async () => {
      const read = await outputs.read();
      const scores = scoredTokens(ids, read.floats(logprobs), read.ints(best), top);
      this.#scores.push(...scores);
      this.#next.score += ids.length;
      const chosen = routes.map((part) => read.ints(part));
      const rows = routesByRow(chosen, layers[0]?.columns ?? 0);
      for (const row of rows) this.#routes.push(row);
      this.#next.route += rows.length;
    };
  }
}

/** Scores `ids` after the positions of `hidden`, some rows at a time. */
function scoreRows(
  scope: Scope,
  head: OutputHead,
  hidden: Tensor,
  ids: readonly number[],
  out: { logprobs: Tensor; top: Tensor },
): void {
  const tokens = scope.from([ids.length], Int32Array.from(ids));
  const places = scope.from([ids.length], Int32Array.from(ids.keys()));
  for (let at = 0; at < ids.length; at += scoredRows) {
    const end = Math.min(at + scoredRows, ids.length);
    const logits = scope.empty([end - at, head.columns]);
    head.logits(hidden.slice(at, end), logits);
    head.score(logits, tokens, places.slice(at, end), {
      logprobs: out.logprobs.slice(at, end),
      top: out.top.columns > 0 ? out.top.slice(at, end) : null,
    });
    scope.release(logits);
  }
}
