import { stripVTControlCharacters } from 'node:util';
import { expect, test } from 'vitest';
import type { RunCurves } from '../watch/curves.ts';
import type { RunSummary } from '../watch/summary.ts';
import { runPlots } from './run-plots.ts';
import { runsTable } from './runs.ts';
import { sparkline } from './sparkline.ts';

test('a sparkline goes from the lowest bar to the highest', () => {
  expect(sparkline([0, 1, 2, 3, 4, 5, 6, 7])).toBe('▁▂▃▄▅▆▇█');
  expect(sparkline([5, 5])).toBe('▁▁');
  expect(sparkline([1, Number.NaN, 2])).toBe('▁ █');
});

test('a run is a line', () => {
  const run: RunSummary = {
    run: 'a',
    state: 'running',
    step: 40,
    steps: 100,
    totalTokens: 2_621_440,
    loss: 1.23456,
    mtpLosses: [2, 3.456],
    lossByLabel: {},
    heldOutLoss: null,
    reward: null,
    gradientNorm: 0.5,
    numZeros: 12_345,
    deadExperts: 0,
    meanViolation: 0.25,
    tokensPerSecond: 456_789,
    starts: 1,
    warning: null,
    remainingSeconds: 90,
    writtenAt: 0,
    curves: { loss: [3, 2, 1], meanViolation: [0, 1], reward: [] },
  };
  const [, row] = stripVTControlCharacters(runsTable([run], 'out'))
    .split('\n')
    .filter((line) => line.includes(' a ') || line.includes('loss'));
  const cells = row!.split('│').map((cell) => cell.trim());
  expect(cells).toEqual([
    '',
    'a',
    '40/100',
    '2.62M',
    '1.235',
    '█▅▁',
    '',
    '2.00 3.46',
    '0.25',
    '▁█',
    '12.3k',
    '0.50',
    '457k',
    '1m 30s left',
    '',
  ]);
  const curves = { ...run.curves, reward: [0, 1] };
  const learning = stripVTControlCharacters(runsTable([{ ...run, reward: 0.5, curves }], 'out'));
  expect(learning).toMatch(/1\.235 +│ ▁█ +│ reward 0\.50/);
  expect(runsTable([], 'out')).toBe('no runs in out');
  const warning = { step: 30, text: 'step 30: num-zeros is rising', stops: false };
  expect(stripVTControlCharacters(runsTable([{ ...run, warning }], 'out'))).toMatch(
    /\na: step 30: num-zeros is rising$/,
  );
});

test('a run’s plots are of what it wrote', () => {
  const steps = {
    step: [1, 2],
    loss: [3, 2],
    mtpLosses: [[4, 3]],
    meanViolation: [0.5, 0.25],
    zerosByLayer: [
      [0, 0],
      [0.25, 0.5],
    ],
    reward: [null, null],
  };
  const curves = { run: 'a', steps, evaluations: [] } as unknown as RunCurves;
  const plots = runPlots(curves);
  expect(Object.keys(plots)).toEqual(['loss', 'num-zeros', 'load']);
  expect(plots['num-zeros']).toContain('layer 1');
  expect(plots.loss).toContain('head 1');
  const rewarded = { ...curves, steps: { ...steps, zerosByLayer: [], reward: [0.25, 0.5] } };
  expect(Object.keys(runPlots(rewarded as unknown as RunCurves))).toEqual(['reward', 'load']);
});
