import { describe, expect, test } from 'vitest';
import { plotSvg } from '../plot.ts';
import {
  type DistillationConfig,
  type DistillationOutcome,
  distillationJobName,
  policyOf,
  type Signal,
  signals,
} from './outcome.ts';
import { distillationReport } from './report.ts';

const config: DistillationConfig = {
  seeds: [1, 2, 3],
  policy: {
    stage: 'mopd',
    steps: 2,
    mopd: { alpha: 0.2, correction: { kind: 'gate' } },
    teachers: { code: { checkpoint: 'code' } },
    schedule: { groups: 4 },
    evaluation: { every: 1 },
  },
};

/** Two domains, of which code ends at `end` and tools a tenth below. */
function outcome(middle: number, end: number, seed: number): DistillationOutcome {
  const scores = (code: number) => ({ code, tools: code - 0.1 });
  return {
    accuracies: [0.5, middle, end].map((code, step) => {
      return { step, scores: scores(code + 0.002 * seed) };
    }),
    curve: [1, 2].map((step) => ({ step, reward: 0.1 * step, teacherGap: null })),
  };
}

function report(ends: Record<Signal, [middle: number, end: number]>, seeds = config.seeds) {
  const outcomes = signals.flatMap((signal) =>
    seeds.map((seed): [string, DistillationOutcome] => {
      const { curve, ...rest } = outcome(...ends[signal], seed);
      const gap = signal === 'outcome reward only' ? null : 0.3;
      const taught = curve.map((point) => ({ ...point, teacherGap: gap }));
      return [distillationJobName(signal, seed), { ...rest, curve: taught }];
    }),
  );
  return distillationReport({ ...config, seeds }, new Map(outcomes));
}

describe('figure 6', () => {
  const asReported = {
    'outcome reward only': [0.52, 0.55],
    'distillation only': [0.7, 0.71],
    both: [0.7, 0.75],
  } satisfies Record<Signal, [number, number]>;

  test('holds where distillation is fast and rewards add to it', () => {
    const { findings, sections } = report(asReported);
    expect(findings.map(({ verdict }) => verdict)).toEqual(['holds', 'holds', 'holds']);
    expect(findings[1]!.measured).toContain('0.704 ± 0.001 and 0.504 ± 0.001');
    expect(sections[0]!.text).toContain('| both | 0.704 ± 0.001 | 0.754 ± 0.001 |');
    const plots = sections.flatMap((section) => section.plots);
    expect(plots.map(({ name }) => name)).toEqual([
      ...['distillation-mean', 'distillation-reward', 'distillation-gap'],
      ...['distillation-code', 'distillation-tools'],
    ]);
    const svg = plotSvg(plots[0]!.plot);
    expect(svg.match(/<polygon/g)).toHaveLength(3);
    expect(plots[2]!.plot.series.map(({ name }) => name)).toEqual(['distillation only', 'both']);
  });

  test('does not hold where it is the other way round', () => {
    const { findings } = report({
      'outcome reward only': [0.7, 0.8],
      'distillation only': [0.6, 0.75],
      both: [0.6, 0.6],
    });
    expect(findings.map(({ verdict }) => verdict)).toEqual(Array(3).fill('does not hold'));
  });

  test('is not decided by one seed', () => {
    const { findings } = report(asReported, [1]);
    expect(findings.map(({ verdict }) => verdict)).toEqual(Array(3).fill('not decided'));
  });
});

test('the three differ in what they learn from, and in nothing else', () => {
  const [outcomes, distilled, both] = signals.map((signal) => policyOf(config, signal));
  const schedule = { groups: 4, requireSignal: false };
  expect(both).toEqual({ ...config.policy, schedule });
  expect(distilled).toEqual({
    ...both,
    mopd: { alpha: 0, correction: { kind: 'gate' } },
  });
  expect(outcomes).toEqual({
    ...{ stage: 'teacher', steps: 2, grpo: { correction: { kind: 'gate' } } },
    ...{ schedule, evaluation: { every: 1 } },
  });
});
