import type { GenerationStatistics } from '../engine/statistics.ts';

/** "38 tokens, 412 tokens/s, acceptance length 2.9 (head hits 82 %, 75 %, 70 %)" */
export function formatStatistics(statistics: GenerationStatistics): string {
  const { tokens, tokensPerSecond, acceptanceLength, hitRates } = statistics;
  const parts = [`${tokens} ${tokens === 1 ? 'token' : 'tokens'}`];
  if (tokensPerSecond > 0) parts.push(`${tokensPerSecond.toFixed(0)} tokens/s`);
  if (acceptanceLength !== null) {
    const rates = hitRates.map((rate) => `${(100 * rate).toFixed(0)} %`).join(', ');
    parts.push(`acceptance length ${acceptanceLength.toFixed(2)} (head hits ${rates})`);
  }
  return parts.join(', ');
}
