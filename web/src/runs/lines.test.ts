import { expect, test } from 'vitest';
import type { RunHistory } from './history.ts';
import { linesOf, placeOfStep, spansDecades, valueAt, within } from './lines.ts';
import type { Panel } from './panels.ts';

const history = (columns: Record<string, (number | null)[]>): RunHistory => ({
  ...{ run: 'a', starts: 1, zerosByExpert: [], evaluations: [], accuracies: [], warnings: [] },
  columns: new Map(Object.entries(columns)),
  length: columns.step!.length,
});
const loss: Panel = { name: 'loss', form: 'one' };
const byFamily: Panel = {
  name: 'lossByLabel',
  form: 'names',
  marks: () => [{ step: 2, member: 'code', value: 7 }],
};

test('a run lies along its steps or its tokens, and begins where it is told to', () => {
  const run = history({ step: [1, 2], totalTokens: [100, 250], loss: [4, 3] });
  const [line] = linesOf(run, loss, { unit: 'steps', offset: 10 }, false);
  expect(line!.points).toEqual([
    [11, 4],
    [12, 3],
  ]);
  const [byTokens] = linesOf(run, loss, { unit: 'tokens', offset: 0 }, false);
  expect(byTokens!.points.map(([x]) => x)).toEqual([100, 250]);
  expect(placeOfStep(run, { unit: 'tokens', offset: 1000 }, 2)).toBe(1250);
  // Before the first step there are no tokens.
  expect(placeOfStep(run, { unit: 'tokens', offset: 1000 }, 0)).toBe(1000);
});

test('families have a line each, without the steps that had none of them, and their marks', () => {
  const run = history({
    step: [1, 2, 3],
    'lossByLabel/code': [1, null, 2],
    'lossByLabel/shell': [5, 5, 5],
  });
  const lines = linesOf(run, byFamily, { unit: 'steps', offset: 0 }, false);
  expect(lines.map(({ member, points, marks }) => [member, points.length, marks])).toEqual([
    ['code', 2, [[2, 7]]],
    ['shell', 3, []],
  ]);
});

test('smoothing takes the mean of both sides, and leaves the first step and what is exact alone', () => {
  const values = Array.from({ length: 300 }, (_, i) => 10 + (i % 2 === 0 ? 1 : -1));
  const run = history({ step: values.map((_, i) => i + 1), loss: values });
  const axis = { unit: 'steps', offset: 0 } as const;
  const [{ points, raw }] = linesOf(run, loss, axis, true) as [ReturnType<typeof linesOf>[number]];
  expect(points[0]![1]).toBe(11);
  // Three to either side.
  expect(points[150]![1]).toBeCloseTo((3 * 11 + 4 * 9) / 7);
  expect(raw.map(([, y]) => y)).toEqual(values);
  const [exact] = linesOf(run, { ...loss, isExact: true }, axis, true);
  expect(exact!.points.map(([, y]) => y)).toEqual(values);
});

test('a stretch has its neighbours, and a place the value before it', () => {
  const points = [1, 2, 3, 4, 5].map((x) => [x, 10 * x] as const);
  expect(within(points, { from: 2.5, to: 3.5 }).map(([x]) => x)).toEqual([2, 3, 4]);
  expect(within(points, { from: 0, to: 9 })).toHaveLength(5);
  expect(valueAt(points, 3.4)).toBe(30);
  expect(valueAt(points, 0.5)).toBeNull();
  expect(valueAt(points, 50)).toBeNull();
  expect(valueAt(points, null)).toBe(50);
  expect(valueAt([], 3)).toBeNull();
});

test('decades are asked for by values above zero that differ by more than one', () => {
  const line = (...values: number[]) => ({
    points: values.map((y, x) => [x, y] as const),
    marks: [],
  });
  expect(spansDecades([line(0, 1, 9)])).toBe(false);
  expect(spansDecades([line(0, 1, 9), line(0.1)])).toBe(true);
  expect(spansDecades([line(-5, 0)])).toBe(false);
});
