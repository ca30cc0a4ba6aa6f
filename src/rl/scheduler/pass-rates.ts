/**
 * What is known of how often prompts are passed, and how likely a group of one is to be of use. A pass
 * rate has a Beta distribution, so the passes of a group have a beta-binomial one.
 */

/** Passes and attempts, of which each counts a little less than the next: the policy changes. */
export interface PassHistory {
  passes: number;
  attempts: number;
}

/** How much less: as if about the last fifty counted. */
const DECAY = 0.98;

export function count(history: PassHistory | undefined, passed: boolean): PassHistory {
  const { passes, attempts } = history ?? NONE;
  return { passes: passes * DECAY + (passed ? 1 : 0), attempts: attempts * DECAY + 1 };
}

const NONE: PassHistory = { passes: 0, attempts: 0 };

/** Which groups are accepted. */
export interface Acceptance {
  groupSize: number;
  passRate: readonly [low: number, high: number];
  /** Whether those that all pass or all fail are not. */
  requireSignal: boolean;
}

/** What is left of the chance of candidates that are known to be too hard or too easy. */
const EXPLORATION = 0.1;

/**
 * The share of candidates to be taken: the chance that a group of one is accepted, relative to that of
 * one of which nothing is known.
 *
 * @param cell history of all prompts of its kind
 * @param own history of the prompt itself; about it, the cell's counts as two attempts
 */
export function keepProbability(
  cell: PassHistory | undefined,
  own: PassHistory | undefined,
  acceptance: Acceptance,
): number {
  const known = posterior(cell ?? NONE, 1, 1);
  const mean = known.a / (known.a + known.b);
  const { a, b } = own ? posterior(own, 2 * mean, 2 * (1 - mean)) : known;
  const chance = acceptanceProbability(a, b, acceptance);
  return Math.min(1, Math.max(EXPLORATION, chance / acceptanceProbability(1, 1, acceptance)));
}

/** Chance that a group is accepted whose pass rate has the distribution Beta(a, b). */
export function acceptanceProbability(
  a: number,
  b: number,
  { groupSize: n, passRate: [low, high], requireSignal }: Acceptance,
): number {
  // Of no passes; that of k + 1 follows from that of k.
  let chance = 1;
  for (let i = 0; i < n; i++) chance *= (b + i) / (a + b + i);
  let sum = 0;
  for (let k = 0; k <= n; k++) {
    const hasSignal = !requireSignal || (k > 0 && k < n);
    if (hasSignal && k / n >= low && k / n <= high) sum += chance;
    chance *= ((n - k) / (k + 1)) * ((a + k) / (b + n - k - 1));
  }
  return sum;
}

function posterior(
  { passes, attempts }: PassHistory,
  a: number,
  b: number,
): { a: number; b: number } {
  return { a: a + passes, b: b + attempts - passes };
}
