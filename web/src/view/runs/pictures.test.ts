import { expect, test } from 'vitest';
import type { RunHistory } from '../../runs/history.ts';
import type { Panel } from '../../runs/panels.ts';
import { runsInEnglish } from '../../strings-of-runs.ts';
import type { DrawnRun } from './drawn-run.ts';
import { picturesOf } from './pictures.ts';

const colours = {
  ...{ soft: '', line: '', raised: '', accent: '', trouble: '' },
  series: ['rgb(0, 0, 0)', 'rgb(9, 0, 0)', 'rgb(0, 9, 0)'],
};
const run = (name: string, columns: Record<string, number[]>): DrawnRun => ({
  ...{ name, colour: `colour of ${name}`, axis: { unit: 'steps', offset: 0 }, length: 3 },
  history: { warnings: [], columns: new Map(Object.entries(columns)) } as unknown as RunHistory,
});
const draw = (panel: Panel, runs: DrawnRun[], isLogarithmic = true) =>
  picturesOf(panel, runs, { isSmooth: false, isLogarithmic, zoom: null }, colours, runsInEnglish);

const step = [1, 2, 3];

test('curves of one kind lie in one picture, in the colours of their runs', () => {
  const panel: Panel = { name: 'loss', form: 'one', isLogarithmic: true };
  const runs = [run('a', { step, loss: [5, 1, 0.2] }), run('b', { step, loss: [3, 3, 3] })];
  const { pictures, isLogarithmic, y } = draw(panel, runs);
  expect(pictures.map(({ run, lines }) => [run, lines.map(({ colour }) => colour)])).toEqual([
    [null, ['colour of a', 'colour of b']],
  ]);
  expect(isLogarithmic).toBe(true);
  expect(y).toMatchObject({ from: 0.1, to: 10, step: null });
  expect(draw(panel, runs, false)).toMatchObject({ isLogarithmic: false, y: null });
});

test('families of several runs lie beside one another, alike in colour and reach', () => {
  const panel: Panel = { name: 'lossByLabel', form: 'names' };
  const runs = [
    run('a', { step, 'lossByLabel/shell': [1, 2, 3] }),
    run('b', { step, 'lossByLabel/code': [1, 1, 1], 'lossByLabel/shell': [4, 5, 9] }),
    run('none', { step }),
  ];
  const { pictures, y } = draw(panel, runs);
  expect(pictures.map(({ run }) => run!.name)).toEqual(['a', 'b']);
  const colourOf = (picture: number, key: string) =>
    pictures[picture]!.lines.find((line) => line.key === key)!.colour;
  expect(colourOf(0, 'shell')).toBe(colourOf(1, 'shell'));
  expect(colourOf(1, 'code')).not.toBe(colourOf(1, 'shell'));
  expect(y).toMatchObject({ from: 0, to: 10, step: 2 });
});

test('more lines than colours are dashed, and layers go from one colour to another', () => {
  const members = Object.fromEntries(['a', 'b', 'c', 'd'].map((name) => [`parts/${name}`, step]));
  const [parts] = draw({ name: 'parts', form: 'names' }, [run('a', { step, ...members })]).pictures;
  expect(parts!.lines.map(({ isDashed }) => isDashed)).toEqual([false, false, false, true]);
  const zeros = { 'zerosByLayer/0': step, 'zerosByLayer/1': step, 'zerosByLayer/2': step };
  const [layers] = draw({ name: 'zerosByLayer', form: 'layers' }, [
    run('a', { step, ...zeros }),
  ]).pictures;
  expect(layers!.lines.map(({ name, colour }) => [name, colour])).toEqual([
    ['layer 0', 'rgb(0, 9, 0)'],
    ['layer 1', 'rgb(5, 5, 0)'],
    ['layer 2', 'rgb(9, 0, 0)'],
  ]);
});

test('nothing but zeros has an axis to one, and one value another from zero', () => {
  const { y } = draw({ name: 'cut', form: 'one', fromZero: true }, [
    run('a', { step, cut: [0, 0, 0] }),
  ]);
  expect(y).toMatchObject({ from: 0, to: 1, step: 0.25 });
  const share = [0.05, 0.05 + 1e-17, 0.05];
  const flat = draw({ name: 'zerosShare', form: 'one' }, [run('a', { step, zerosShare: share })]);
  expect(flat.y).toMatchObject({ from: 0, step: 0.02 });
});
