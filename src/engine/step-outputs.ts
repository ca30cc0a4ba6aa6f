import type { ModelConfig } from '../model/config.ts';
import type { Scope } from '../tensor/scope.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { Outputs } from './outputs.ts';
import type { StepRequest } from './step-request.ts';
import { routesByRow, type ScoredToken, scoredTokens } from './token-reports.ts';

/** The tokens that a step gives a sequence, and what was asked for about each. */
export interface StepAnswer {
  tokens: number[];
  scores?: ScoredToken[];
  /** [layers of experts, experts per token]: of the position that the token was drawn from. */
  experts?: Int32Array[];
}

type Asked = Pick<StepRequest, 'scores' | 'routes'>;

/** Which rows of the trunk are scored, and where in `chosen` the tokens for which; null for none. */
export function scoreArrays(requests: readonly Asked[], drafts: number) {
  const scored = requests.flatMap(({ scores }, s) => (scores ? [s] : []));
  if (scored.length === 0) return null;
  const each = (width: number, first: number) =>
    Int32Array.from(
      scored.flatMap((s) => Array.from({ length: drafts + 1 }, (_, d) => s * width + first + d)),
    );
  return { rows: each(drafts + 1, 0), places: each(drafts + 2, 1) };
}

/** What a step of S sequences with D drafts leaves for the host, read at once. */
export class StepOutputs {
  /** i32 [S, D+2], as by `verifyDrafts`. */
  readonly chosen: Tensor;
  /** Of the R scored rows: [R, 1+n] and i32 [R, n]. */
  readonly scores: { logprobs: Tensor; top: Tensor | null } | null = null;
  /** i32 [S·(D+1), k] of each layer of experts; none where nobody asks. */
  readonly experts: Tensor[];
  readonly #requests: readonly Asked[];
  readonly #drafts: number;
  readonly #outputs: Outputs;
  readonly #parts: { chosen: number; logprobs: number; top: number; experts: number[] };

  constructor(
    scope: Scope,
    requests: readonly Asked[],
    drafts: number,
    { layers, experts }: ModelConfig,
  ) {
    const outputs = new Outputs(scope);
    const scored = requests.filter(({ scores }) => scores);
    const rows = scored.length * (drafts + 1);
    const top = Math.max(0, ...scored.map(({ scores }) => scores!.top));
    const routed = requests.some(({ routes }) => routes) ? layers : [];
    this.#parts = {
      chosen: outputs.plan([requests.length, drafts + 2], 'i32'),
      logprobs: outputs.plan([rows, 1 + top], 'f32'),
      top: outputs.plan([rows, top], 'i32'),
      experts: routed
        .filter(({ feedForward }) => feedForward === 'experts')
        .map(() => outputs.plan([requests.length * (drafts + 1), experts.perToken], 'i32')),
    };
    this.#requests = requests;
    this.#drafts = drafts;
    this.#outputs = outputs;
    this.chosen = outputs.tensor(this.#parts.chosen);
    if (rows > 0) {
      this.scores = {
        logprobs: outputs.tensor(this.#parts.logprobs),
        top: top > 0 ? outputs.tensor(this.#parts.top) : null,
      };
    }
    this.experts = this.#parts.experts.map((part) => outputs.tensor(part));
  }

  async read(): Promise<StepAnswer[]> {
    const read = await this.#outputs.read();
    const drafts = this.#drafts;
    const chosen = read.ints(this.#parts.chosen);
    const [first] = this.experts;
    const layers = this.#parts.experts.map((part) => read.ints(part));
    const rows = first ? routesByRow(layers, first.columns) : [];
    const asked = this.scores && {
      columns: this.scores.logprobs.columns,
      logprobs: read.floats(this.#parts.logprobs),
      best: read.ints(this.#parts.top),
    };
    let scored = 0;
    return this.#requests.map(({ scores, routes }, s) => {
      const begin = s * (drafts + 2) + 1;
      const count = chosen[begin - 1]!;
      const tokens = Array.from({ length: count }, (_, i) => chosen[begin + i]!);
      const answer: StepAnswer = { tokens };
      if (scores && asked) {
        const { columns, logprobs, best } = asked;
        const begin = scored++ * (drafts + 1);
        const own = logprobs.subarray(begin * columns, (begin + count) * columns);
        const ids = best.subarray(begin * (columns - 1), (begin + count) * (columns - 1));
        answer.scores = scoredTokens(tokens, own, ids, scores.top);
      }
      if (routes) {
        const begin = s * (drafts + 1);
        answer.experts = rows.slice(begin, begin + count);
      }
      return answer;
    });
  }
}
