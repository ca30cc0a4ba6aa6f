import { describe, expect, test } from 'vitest';
import { plotSvg } from '../plot.ts';
import {
  policyOf,
  type RolloutsConfig,
  type RolloutsOutcome,
  rolloutsSchema,
  type TimedStep,
} from './outcome.ts';
import { rolloutsReport } from './report.ts';

const config: RolloutsConfig = {
  policy: {
    steps: 3,
    evaluation: { every: 1 },
    schedule: { groups: 4, groupSize: 2, maxStaleness: 3, maxWaitSeconds: 2 },
  },
  variants: [
    { name: 'all-heads' },
    { name: 'no-drafts', drafts: 0 },
    { name: 'whole-batches', groupsAhead: 0 },
  ],
  settle: 1,
};

function outcome(changes: Partial<TimedStep>): RolloutsOutcome {
  const usual = { teachers: 0.5, training: 1, acceptanceLength: 3, held: 0, carried: 0.25 };
  const steps = [1, 2, 3].map((step) => {
    // The first does not count.
    const sampling = step === 1 ? 100 : 1;
    return { step, ...usual, sampling, tokens: 3000, staleness: 1, ...changes };
  });
  return { steps: steps.map((step) => (step.step === 1 ? { ...step, sampling: 100 } : step)) };
}

const report = (changes: Record<string, Partial<TimedStep>> = {}) =>
  rolloutsReport(
    config,
    new Map([
      ['all-heads', outcome({ ...changes['all-heads'] })],
      ['no-drafts', outcome({ sampling: 2.5, acceptanceLength: null, ...changes['no-drafts'] })],
      [
        'whole-batches',
        outcome({ sampling: 1.5, carried: 0, staleness: 0, ...changes['whole-batches'] }),
      ],
    ]),
  );

describe('the report on rollouts', () => {
  test('has speeds, parts and waits of the steps that count', () => {
    const { findings, sections } = report();
    expect(findings.map(({ verdict }) => verdict)).toEqual(['holds', 'holds', 'holds']);
    expect(findings[0]!.measured).toBe(
      '2.50 times: 3,000 tokens/s (all-heads) and 1,200 tokens/s (no-drafts); sampling is 40.0 % and 62.5 % of a step',
    );
    expect(findings[2]!.measured).toBe(
      'at most 0.0 s held back of 2 s, 25.0 % carried over of 50.0 %, tokens up to 1 versions old of 3',
    );
    expect(sections[0]!.text).toContain(
      '| no-drafts | 1,200 | no drafts | 2.50 | 0.50 | 1.00 | 4.00 | 62.5 % |',
    );
    expect(sections[1]!.text).toContain('| cap |  | 2.00 | 50.0 % | 3 |');
    for (const { plot } of sections[0]!.plots) expect(plotSvg(plot)).not.toContain('NaN');
  });

  test.each([
    [{ 'no-drafts': { sampling: 0.8 } }, 0],
    [{ 'whole-batches': { sampling: 0.9 } }, 1],
    [{ 'all-heads': { held: 3.5 } }, 2],
    [{ 'all-heads': { carried: 0.6 } }, 2],
    [{ 'all-heads': { staleness: 4 } }, 2],
  ])('of %j does not hold what is said', (changes, index) => {
    const verdicts = report(changes).findings.map(({ verdict }) => verdict);
    expect(verdicts[index]).toBe('does not hold');
    expect(verdicts.filter((verdict) => verdict === 'holds')).toHaveLength(2);
  });
});

test('runs differ in drafts and schedule, and spend no time on evaluations', () => {
  const [full, plain, whole] = config.variants.map((variant) => policyOf(config, variant));
  const { evaluation, ...run } = config.policy;
  expect(full).toEqual({ ...run, checkpointEvery: 3 });
  expect(plain).toEqual({ ...full, drafts: 0 });
  expect(whole).toEqual({ ...full, schedule: { ...config.policy.schedule, groupsAhead: 0 } });
  expect(rolloutsSchema.safeParse({ ...config, settle: 3 }).success).toBe(false);
});
