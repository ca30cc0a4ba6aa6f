import type { DraftPolicy } from './draft-policy.ts';
import type { Generation } from './generation.ts';

/**
 * The requests of a step by their number of drafts; each group is a pass of its own. Where some have a
 * fixed number, the others go along with most of them: a pass more would cost more than drafts give.
 */
export function draftGroups<Request extends { generation: Generation }>(
  requests: readonly Request[],
  policy: DraftPolicy,
): Map<number, Request[]> {
  const adaptive = requests.filter(({ generation }) => generation.isAdaptive);
  const fixed = requests.filter(({ generation }) => !generation.isAdaptive);
  const groups = Map.groupBy(fixed, ({ generation }) => generation.drafts);
  if (adaptive.length === 0) return groups;
  if (fixed.length === 0) {
    const most = Math.max(...adaptive.map(({ generation }) => generation.drafts));
    return new Map([[Math.min(policy.choose(adaptive.length), most), adaptive]]);
  }
  const largest = [...groups.values()].reduce((a, b) => (b.length > a.length ? b : a));
  largest.push(...adaptive);
  return groups;
}
