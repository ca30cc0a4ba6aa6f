import { describe, expect, test } from 'vitest';
import { plotSvg } from '../plot.ts';
import { type ZerosConfig, type ZerosOutcome, zerosSchema } from './outcome.ts';
import { zerosReport } from './report.ts';

const config: ZerosConfig = {
  seeds: [1, 2],
  training: { stage: 'sft' },
  variants: [
    { name: 'good', isSpoiled: false },
    { name: 'bias', isSpoiled: true, expertBiasRate: 0.1 },
    { name: 'epsilon', isSpoiled: true, epsilon: 0.01 },
  ],
};

function outcome(end: number, warnedAt: number | null): ZerosOutcome {
  const curve = [1, 2, 3, 4, 5].map((step) => ({
    ...{ step, loss: 1 / step, zeros: 0.01 + (step / 5) * (end - 0.01) },
    ...{ maxViolation: 0.5, meanViolation: 0.2, deadExperts: 1 },
  }));
  const text = `step ${warnedAt}: num-zeros is rising`;
  const warning = { step: warnedAt!, kind: 'rising' as const };
  return { heldOutLoss: 0.2, curve, warnings: warnedAt === null ? [] : [{ ...warning, text }] };
}

const report = (outcomes: Record<string, ZerosOutcome>) =>
  zerosReport(
    config,
    new Map(
      ['good', 'bias', 'epsilon'].flatMap((name) =>
        [1, 2].map((seed): [string, ZerosOutcome] => [
          `${name}-seed-${seed}`,
          outcomes[`${name}-${seed}`] ?? outcomes[name]!,
        ]),
      ),
    ),
  );

describe('the report on num-zeros', () => {
  test('has what the watch said and when, and the curves', () => {
    const { findings, sections } = report({
      good: outcome(0.01, null),
      bias: outcome(0.2, 4),
      epsilon: outcome(0.01, null),
    });
    expect(findings.map(({ verdict }) => verdict)).toEqual(['holds', 'holds', 'does not hold']);
    expect(findings[1]!.claim).toContain('a bias rate of 0.1');
    expect(findings[1]!.measured).toBe(
      'warned in 2 of 2 runs, first: rising at step 4, rising at step 4; held-out loss 0.200 ± 0.000, 0.200 ± 0.000 of the good one',
    );
    const [end, watch, curves] = sections;
    expect(end!.text).toContain(
      '| bias | a bias rate of 0.1 | 0.2000 ± 0.0000 | 4.80 ± 0.00 | 20.00',
    );
    expect(watch!.text).toContain('| bias | 2 | step 4: num-zeros is rising |');
    expect(watch!.text).toContain('Nothing of: good, epsilon.');
    // Two runs warned, on the curve of their own.
    const svg = plotSvg(curves!.plots[0]!.plot);
    expect(svg.match(/<circle/g)).toHaveLength(2);
  });

  test('trusts no watch that warns of a good run, or of one seed only', () => {
    const alarmed = report({
      good: outcome(0.2, 3),
      bias: outcome(0.2, 4),
      epsilon: outcome(0.01, null),
    });
    expect(alarmed.findings.map(({ verdict }) => verdict)).toEqual([
      ...['does not hold', 'not decided', 'does not hold'],
    ]);
    const half = report({
      good: outcome(0.01, null),
      'bias-1': outcome(0.2, 4),
      'bias-2': outcome(0.02, null),
      epsilon: outcome(0.2, 2),
    });
    expect(half.findings.map(({ verdict }) => verdict)).toEqual(['holds', 'not decided', 'holds']);
  });
});

test('one variant is good', () => {
  expect(zerosSchema.safeParse(config).success).toBe(true);
  const variants = config.variants.map((variant) => ({ ...variant, isSpoiled: true }));
  expect(zerosSchema.safeParse({ ...config, variants }).success).toBe(false);
});
