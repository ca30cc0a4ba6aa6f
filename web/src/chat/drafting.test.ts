import { expect, test } from 'vitest';
import { draftingOf } from './drafting.ts';

test('each pass ends with a token of the model’s own', () => {
  const tokens = [
    ['a', null],
    ['b', 0],
    ['c', 1],
    ['d', null],
    ['e', 0],
    ['f', null],
  ] as const;
  expect(draftingOf(tokens, 3)).toEqual({ passes: 3, accepted: [2, 1, 0] });
});

test('but for the last, whose own may have ended the answer', () => {
  expect(
    draftingOf(
      [
        ['a', null],
        ['b', 0],
        ['c', 1],
      ],
      2,
    ),
  ).toEqual({ passes: 2, accepted: [1, 1] });
});

test('nothing yet', () => {
  expect(draftingOf([], 2)).toEqual({ passes: 0, accepted: [0, 0] });
});
