import { stripVTControlCharacters } from 'node:util';
import { expect, test } from 'vitest';
import type { RunMetrics } from '../train/run.ts';
import { formatDuration, TrainingProgress } from './progress.ts';

/** Runs `steps` steps of 2 seconds each; → what was written. */
function written(isTTY: boolean, steps: number): string {
  let text = '';
  let seconds = 0;
  const output = { isTTY, write: (more: string) => (text += more) };
  const progress = new TrainingProgress(output, steps, () => seconds * 1000);
  for (let step = 1; step <= steps; step++) {
    seconds += 2;
    const metrics = { step, tokens: 100, tokensPerSecond: 50, loss: 1 / step, mtpLosses: [2, 3] };
    progress.step(metrics as unknown as RunMetrics);
  }
  progress.note('saved');
  progress.end();
  return stripVTControlCharacters(text);
}

test('on a terminal every step rewrites the line', () => {
  const lines = written(true, 40).split('\r');
  expect(lines).toHaveLength(1 + 40 + 1);
  expect(lines[1]).toBe('step  1/40  loss 1.0000  mtp 2.000 3.000  50 tokens/s  1m 18s left');
});

test('elsewhere there are few lines, the first and the last among them', () => {
  const lines = written(false, 40).trim().split('\n');
  expect(lines.map((line) => line.split('  loss')[0])).toEqual([
    'step  1/40',
    'step 16/40',
    'step 31/40',
    'step 40/40',
    'saved',
  ]);
});

test.each([
  [0.4, '0s'],
  [59.6, '1m 00s'],
  [250, '4m 10s'],
  [11_100, '3h 05m'],
])('%d seconds are %s', (seconds, text) => {
  expect(formatDuration(seconds)).toBe(text);
});
