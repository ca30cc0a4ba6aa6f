/** What the log-probability of a token that is certain may be above 0 by: devices round logarithms. */
const ROUNDING = 1e-3;

/** Whether a value can be the log-probability of a token that was drawn. */
export function isLogProbability(value: number): boolean {
  return value > Number.NEGATIVE_INFINITY && value < ROUNDING;
}
