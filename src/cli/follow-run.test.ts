import { stripVTControlCharacters } from 'node:util';
import { expect, test } from 'vitest';
import type { RunEvent } from '../rl/run/pipeline.ts';
import { RunFollower } from './follow-run.ts';

test('what failed is told when there is more of it', () => {
  let text = '';
  const output = { isTTY: false, write: (more: string) => (text += more) };
  const follower = new RunFollower(9, output);
  const step = (number: number, failures: object) => {
    const metrics = { step: number, tokens: 1, tokensPerSecond: 1, loss: 1, mtpLosses: [] };
    follower.show({ type: 'step', ...metrics, failures } as unknown as RunEvent);
  };
  step(1, {});
  step(2, { 'tool-timeout': 2 });
  follower.show({ type: 'accuracy', step: 2, scores: { code: 0.5 }, failed: { code: 1 } });
  step(3, { 'tool-timeout': 2 });
  step(4, { 'tool-timeout': 2, judge: 1 });
  follower.show({ type: 'accuracy', step: 4, scores: { code: 0.5 }, failed: {} });
  follower.end();
  const told = stripVTControlCharacters(text)
    .split('\n')
    .filter((line) => /failed|evaluated/.test(line));
  expect(told).toEqual([
    'step 2: sequences failed: 2 tool-timeout',
    'step 2: problems were not evaluated: 1 code',
    'step 4: sequences failed: 2 tool-timeout, 1 judge',
  ]);
});
