import type { Scope } from '../tensor/scope.ts';
import type { Tensor } from '../tensor/tensor.ts';
import type { OutputHead } from './output-head.ts';
import { Outputs } from './outputs.ts';
import type { PromptReport, Wanted } from './prompt-report.ts';
import { routesByRow, scoredTokens } from './token-reports.ts';

/** A prompt's positions from `begin` to `end` among the rows of a pass, the first at row `first`. */
export interface PassedPrompt {
  report?: PromptReport | null;
  begin: number;
  end: number;
  first: number;
}

/** Rows whose logits are in memory at once. */
const scoredRows = 128;

/**
 * Gives reports what they want of a pass of prompts, of which the trunk gave `hidden` [T,C] and the experts
 * i32 [T,k] of each layer. However many prompts there are, a layer is copied once, from the first row that
 * anybody wants to the last, and the host waits once.
 */
export async function reportPrompts(
  scope: Scope,
  head: OutputHead,
  prompts: readonly PassedPrompt[],
  { hidden, experts }: { hidden: Tensor; experts: readonly Tensor[] },
): Promise<void> {
  const wanting = prompts.flatMap(({ report, begin, end, first }) => {
    const wanted = report?.want(begin, end);
    return report && wanted ? [{ report, wanted, first }] : [];
  });
  if (wanting.length === 0) return;
  const range = routedRows(wanting);
  const layers = range ? experts.map((layer) => layer.slice(range.from, range.to)) : [];
  const isScored = wanting.some(({ wanted }) => wanted.scored.ids.length > 0);
  // A model may have no experts to tell of.
  if (!isScored && layers.length === 0) return;

  const outputs = new Outputs(scope);
  const scores = wanting.map(({ wanted: { scored, top } }) => ({
    logprobs: outputs.plan([scored.ids.length, 1 + top], 'f32'),
    best: outputs.plan([scored.ids.length, top], 'i32'),
  }));
  const routes = layers.map(({ shape }) => outputs.plan(shape, 'i32'));

  for (const [i, { wanted, first }] of wanting.entries()) {
    const { from, ids } = wanted.scored;
    if (ids.length === 0) continue;
    const { logprobs, best } = scores[i]!;
    const rows = hidden.slice(first + from, first + from + ids.length);
    scoreRows(scope, head, rows, ids, {
      logprobs: outputs.tensor(logprobs),
      top: outputs.tensor(best),
    });
  }
  for (const [i, source] of layers.entries()) {
    scope.device.kernels.copy({ source, out: outputs.tensor(routes[i]!) });
  }

  const read = await outputs.read();
  const chosen = routes.map((part) => read.ints(part));
  const rows = routesByRow(chosen, layers[0]?.columns ?? 0);
  for (const [i, { report, wanted, first }] of wanting.entries()) {
    const { scored, routed, top } = wanted;
    const { logprobs, best } = scores[i]!;
    const begin = first - (range?.from ?? 0);
    report.give(
      scoredTokens(scored.ids, read.floats(logprobs), read.ints(best), top),
      routed.from < routed.to ? rows.slice(begin + routed.from, begin + routed.to) : [],
    );
  }
}

/** From the first row whose routes anybody wants to the last; null for none. */
function routedRows(
  wanting: readonly { wanted: Wanted; first: number }[],
): { from: number; to: number } | null {
  const ranges = wanting.flatMap(({ wanted: { routed }, first }) =>
    routed.from < routed.to ? [{ from: first + routed.from, to: first + routed.to }] : [],
  );
  const [first, last] = [ranges[0], ranges.at(-1)];
  return first && last ? { from: first.from, to: last.to } : null;
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
