/**
 * What is known of how often prompts are passed, and how likely a group of one is to be of use. A pass
 * rate has a Beta distribution, so the passes of a group have a beta-binomial one. That holds for one
 * prompt; of the prompts of a kind some may always pass and others never, which a mean of their passes does
 * not tell. What became of their groups does.
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

/** As how many groups counts what the passes of a kind let one expect of its groups. */
const EXPECTED = 2;

/** What is known of the prompts of a kind. */
export interface CellHistory {
  attempts: PassHistory | undefined;
  /** Of its groups, "passes" are those that were accepted. */
  groups: PassHistory | undefined;
}

/** The chance that a group of this kind is accepted. */
export function cellChance({ attempts, groups }: CellHistory, acceptance: Acceptance): number {
  const { a, b } = posterior(attempts ?? NONE, 1, 1);
  const expected = acceptanceProbability(a, b, acceptance);
  const { passes, attempts: seen } = groups ?? NONE;
  return (passes + EXPECTED * expected) / (seen + EXPECTED);
}

/** The same of a group of a prompt that was asked before; about it, the cell counts as two attempts. */
export function promptChance(
  { attempts }: CellHistory,
  own: PassHistory,
  acceptance: Acceptance,
): number {
  const cell = posterior(attempts ?? NONE, 1, 1);
  const mean = cell.a / (cell.a + cell.b);
  const { a, b } = posterior(own, 2 * mean, 2 * (1 - mean));
  return acceptanceProbability(a, b, acceptance);
}

/** The share of candidates with such a chance to be taken, where the best of the source have `best`. */
export function keepProbability(chance: number, best: number): number {
  return Math.min(1, Math.max(EXPLORATION, chance / best));
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
