/**
 * Importance weights: what a token that was sampled by μ_θ counts under π_θ. μ differs from π because the
 * sampler computes otherwise (precision, drafts) and because the weights have moved on since.
 */

/**
 * - `gate`: equation 8, the two-sided hard gate of IcePop (Zhao et al. 2025): π/μ where it is within
 *   [low, high], and 0 elsewhere, so a token outside has no gradient at all. It is no clamp. The report
 *   gives no bounds; IcePop's own are 0.5 and 5, and so are verl's and NeMo-RL's reference; NeMo-RL's recipe
 *   for this paper has 0.2 and 5.
 * - `truncate`: min(π/μ, limit) (truncated importance sampling, Yao et al. 2025; limit 2 there). The older
 *   the version that drew a token, the less it may count: after s versions the limit is
 *   1 + (limit − 1)·decay^s. The report names staleness-aware truncation and gives no formula; this is ours.
 *   Tokens older than `maxStaleness` count nothing.
 * - `none`: 1.
 */
export type Correction =
  | { kind: 'gate'; low?: number; high?: number }
  | { kind: 'truncate'; limit?: number; decay?: number; maxStaleness?: number }
  | { kind: 'none' };

/** Why a token does not count by its ratio; the names under which they are counted. */
export type Verdict = 'gatedLow' | 'gatedHigh' | 'truncated' | 'stale';

export interface ImportanceWeight {
  weight: number;
  verdict: Verdict | null;
}

/** `ratio`: π_θ/μ_θ of the token; `staleness`: versions since it was drawn. */
export function importanceWeight(
  correction: Correction,
  ratio: number,
  staleness: number,
): ImportanceWeight {
  switch (correction.kind) {
    case 'gate': {
      const { low = 0.5, high = 5 } = correction;
      if (ratio < low) return { weight: 0, verdict: 'gatedLow' };
      if (ratio > high) return { weight: 0, verdict: 'gatedHigh' };
      return { weight: ratio, verdict: null };
    }
    case 'truncate': {
      const { limit = 2, decay = 0.5, maxStaleness = Number.POSITIVE_INFINITY } = correction;
      if (staleness > maxStaleness) return { weight: 0, verdict: 'stale' };
      const most = 1 + (limit - 1) * decay ** staleness;
      return ratio > most
        ? { weight: most, verdict: 'truncated' }
        : { weight: ratio, verdict: null };
    }
    case 'none':
      return { weight: 1, verdict: null };
  }
}
