import { expect, test } from 'vitest';
import { keepSlots } from './colour-slots.ts';
import { shortNames } from './short-names.ts';

test('names lose what they all begin with, by whole words', () => {
  const short = (...names: string[]) => [...shortNames(names).values()];
  expect(short('mimoflash-1-general', 'mimoflash-2-reasoning')).toEqual([
    '1-general',
    '2-reasoning',
  ]);
  expect(short('lab/rate-1', 'lab/rates')).toEqual(['rate-1', 'rates']);
  expect(short('only-one')).toEqual(['only-one']);
  expect(short('a', 'b')).toEqual(['a', 'b']);
  expect(short('out/', 'out/x')).toEqual(['out/', 'x']);
});

test('a run keeps its colour while others come and go', () => {
  const first = keepSlots(new Map(), ['a', 'b', 'c']);
  expect([...first]).toEqual([
    ['a', 0],
    ['b', 1],
    ['c', 2],
  ]);
  const second = keepSlots(first, ['b', 'c', 'd']);
  expect([second.get('b'), second.get('c'), second.get('d')]).toEqual([1, 2, 0]);
});
