import { describe, expect, test } from 'vitest';
import type { MismatchFigures } from '../../rl/trainer/policy-figures.ts';
import { plotSvg } from '../plot.ts';
import {
  type MismatchConfig,
  type MismatchOutcome,
  mismatchSchema,
  type RunOutcome,
} from './outcome.ts';
import { mismatchReport } from './report.ts';

const config: MismatchConfig = {
  policy: { schedule: {} },
  formats: [
    { name: 'exact', rolloutWeights: 'shared', rolloutCache: 'f32', drafts: 0 },
    { name: 'rounded', rolloutWeights: '4-bit', rolloutCache: 'f16' },
  ],
  training: { format: 'rounded', seeds: [1, 2] },
};

const figures = (klPositive: number, gated = 0): MismatchFigures => ({
  ...{ tokens: 1000, kl: klPositive, klPositive, largestGap: Math.log(3) },
  ...{ below: gated / 2, above: gated / 2 },
});

const run = (end: number, kl: number): RunOutcome => ({
  kind: 'run',
  curve: [1, 2, 3, 4, 5].map((step) => {
    return { step, reward: 0.5, klPositive: kl * step, gated: 0.01, largestGap: 1 };
  }),
  accuracy: [
    [0, 0.5],
    [5, end],
  ],
});

function report(changes: [string, MismatchOutcome][] = []) {
  return mismatchReport(
    config,
    new Map<string, MismatchOutcome>([
      [
        'format-exact',
        {
          ...{ kind: 'format', sequences: 8, acceptanceLength: null },
          ...{ replayed: figures(1e-9), own: figures(1.1e-9) },
        },
      ],
      [
        'format-rounded',
        {
          ...{ kind: 'format', sequences: 8, acceptanceLength: 3.25 },
          ...{ replayed: figures(2e-3, 0.004), own: figures(5e-3, 0.02) },
        },
      ],
      ['with-replay-seed-1', run(0.7, 0.001)],
      ['with-replay-seed-2', run(0.71, 0.0011)],
      ['without-replay-seed-1', run(0.6, 0.004)],
      ['without-replay-seed-2', run(0.61, 0.0041)],
      ...changes,
    ]),
  );
}

describe('the report on the mismatch', () => {
  test('has each format with R3 and without', () => {
    const { sections, findings } = report();
    expect(sections[0]!.text).toContain(
      '| exact | shared, f32 | no drafts | 1000 | 1.0e-9 | 1.1e-9 | 0.0 % | 0.0 % | 3.00 | 3.00 |',
    );
    expect(sections[0]!.text).toContain(
      '| rounded | 4-bit, f16 | 3.25 | 1000 | 2.0e-3 | 5.0e-3 | 0.4 % | 2.0 % | 3.00 | 3.00 |',
    );
    expect(findings.map(({ verdict }) => verdict)).toEqual([
      ...['not decided', 'holds', 'holds', 'holds'],
    ]);
    expect(findings[2]!.measured).toBe(
      'KL over the last fifth of the steps: 2.0e-2 without the replay, 5.3e-3 with it',
    );
    expect(findings[3]!.measured).toContain('0.605 ± 0.005 without the replay, 0.705 ± 0.005 with');
    for (const { plots } of sections) {
      for (const { plot } of plots) expect(plotSvg(plot)).not.toContain('NaN');
    }
  });

  test('says so where the replay does harm', () => {
    const { findings } = report([
      [
        'format-rounded',
        {
          ...{ kind: 'format', sequences: 8, acceptanceLength: 3.25 },
          ...{ replayed: figures(5e-3), own: figures(2e-3) },
        },
      ],
      ['with-replay-seed-1', run(0.5, 0.02)],
      ['with-replay-seed-2', run(0.51, 0.021)],
    ]);
    expect(findings.slice(1).map(({ verdict }) => verdict)).toEqual(Array(3).fill('does not hold'));
  });
});

test('what is trained is in one of the formats', () => {
  const other = { ...config, training: { format: 'unknown', seeds: [1] } };
  expect(mismatchSchema.safeParse(config).success).toBe(true);
  expect(mismatchSchema.safeParse(other).error!.issues[0]!.message).toContain('training.format');
});
