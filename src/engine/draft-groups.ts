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
  const draftsOf = ({ generation }: Request) => generation.drafts;
  const fixed = requests.filter(({ generation }) => !generation.isAdaptive);
  const groups = [...Map.groupBy(fixed, draftsOf)];
  const most = Math.max(0, ...requests.map(draftsOf));
  const [others] =
    groups.length > 0
      ? groups.reduce((a, b) => (b[1].length > a[1].length ? b : a))
      : [Math.min(policy.choose(requests.length), most)];
  return Map.groupBy(requests, (request) =>
    request.generation.isAdaptive ? others : draftsOf(request),
  );
}
