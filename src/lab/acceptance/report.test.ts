import { expect, test } from 'vitest';
import { curveAt } from '../statistics.ts';
import type { AcceptanceConfig, AcceptanceOutcome } from './outcome.ts';
import { acceptanceReport } from './report.ts';

const config: AcceptanceConfig = {
  checkpoint: 'model',
  families: ['arithmetic', 'code'],
  levels: ['easy', 'hard'],
  problems: 1,
  temperature: 1,
  maxTokens: 1,
  speed: { sequences: [32], length: 1, seconds: 1 },
};

function family(...entropies: number[]): AcceptanceOutcome {
  const levels = entropies.map((entropy, i) => ({
    level: config.levels[i]!,
    acceptanceLength: curveAt({ most: 4, a: 0.5, b: 0.7 }, entropy),
    hitRates: [0.9, 0.8, 0.7],
    entropy,
    crossEntropy: entropy,
    tokens: 10,
  }));
  return { kind: 'family', levels, heads: 3 };
}

test('the report has the curve that was fitted, and the speed-up of each batch size', () => {
  const outcomes = new Map<string, AcceptanceOutcome>([
    ['arithmetic', family(0.05, 0.2)],
    ['code', family(0.02, 0.1)],
    [
      'speed',
      { kind: 'speed', steps: [{ sequences: 32, plainMilliseconds: 2, draftMilliseconds: 3 }] },
    ],
  ]);
  const { findings, sections } = acceptanceReport(config, outcomes);
  expect(findings[0]).toMatchObject({ verdict: 'holds' });
  expect(findings[0]!.measured).toBe('y = 4(1 − 0.50·x^0.70), R² 1.000 over 4 points');
  expect(findings[1]).toMatchObject({ claim: expect.stringContaining('code'), verdict: 'holds' });
  // A step with drafts costs 1.5 plain ones, so 3 accepted tokens are twice as fast.
  const speed = sections.at(-1)!.text;
  expect(speed).toContain('| 32 | 2.00 | 3.00 | 1.50 | 1.51 | 1.87 | 2.00 |');
});
