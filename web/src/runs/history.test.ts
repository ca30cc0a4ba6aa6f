import { expect, test } from 'vitest';
import type { RunCurves } from '../../../src/watch/curves.ts';
import { extendHistory, historyOf, lastStep, membersOf } from './history.ts';

const curves = (step: number[], steps: object, rest: object = {}) =>
  ({
    ...{ run: 'a', starts: 1, zerosByExpert: [], evaluations: [], accuracies: [], warnings: [] },
    ...rest,
    steps: { step, ...steps },
  }) as unknown as RunCurves;

test('columns have names, those of several a part of their own', () => {
  const history = historyOf(
    curves([1, 2], {
      loss: [3, 2],
      mtpLosses: [[5, 4]],
      zerosByLayer: [],
      lossByLabel: { code: [null, 1] },
      reward: [null, null],
    }),
  );
  expect(Object.fromEntries(history.columns)).toEqual({
    step: [1, 2],
    loss: [3, 2],
    'mtpLosses/0': [5, 4],
    'lossByLabel/code': [null, 1],
  });
  expect(lastStep(history)).toBe(2);
});

test('what comes later is added, whatever it has more or less', () => {
  const evaluation = (step: number, loss: number) => ({ step, loss });
  const first = historyOf(
    curves(
      [1, 2],
      { loss: [3, 2], lossByLabel: { code: [1, 1] } },
      { evaluations: [evaluation(1, 9)] },
    ),
  );
  const all = extendHistory(
    first,
    curves(
      [3],
      { loss: [1], lossByLabel: { shell: [4] } },
      { zerosByExpert: [[7]], evaluations: [evaluation(2, 8), evaluation(3, 7)] },
    ),
  );
  expect(Object.fromEntries(all.columns)).toEqual({
    step: [1, 2, 3],
    loss: [3, 2, 1],
    'lossByLabel/code': [1, 1, null],
    'lossByLabel/shell': [null, null, 4],
  });
  expect(all.evaluations.map(({ loss }) => loss)).toEqual([9, 8, 7]);
  expect(all.zerosByExpert).toEqual([[7]]);
  // An evaluation of the last step comes again with every question, and counts once.
  const again = extendHistory(all, curves([], {}, { evaluations: [evaluation(3, 7)] }));
  expect(again.length).toBe(3);
  expect(again.evaluations).toHaveLength(3);
});

test('layers are in the order of their numbers', () => {
  const layers = Array.from({ length: 12 }, (_, i) => [i]);
  const history = historyOf(curves([1], { zerosByLayer: layers }));
  expect(membersOf(history, 'zerosByLayer').slice(-3)).toEqual(['9', '10', '11']);
});
