import fc from 'fast-check';
import { expect, test } from 'vitest';
import { hashText, Random } from './random.ts';

const draw = (random: Random, count: number) => Array.from({ length: count }, () => random.float());

test('the same seed gives the same numbers, another gives others', () => {
  expect(draw(Random.forSeed(7), 5)).toEqual(draw(Random.forSeed(7), 5));
  expect(draw(Random.forSeed(7), 5)).not.toEqual(draw(Random.forSeed(8), 5));
  expect(draw(Random.forSeed('a'), 5)).not.toEqual(draw(Random.forSeed('b'), 5));
});

test('numbers are pinned, since published results depend on them', () => {
  const random = Random.forSeed(1);
  const drawn = Array.from({ length: 8 }, () => random.int(0, 99));
  expect(drawn).toEqual([78, 76, 40, 7, 65, 40, 2, 57]);
  expect(hashText('mimoflash')).toBe(2576291674);
});

test('a split stream does not follow the one it came from', () => {
  const random = Random.forSeed(1);
  const child = random.split();
  expect(draw(child, 5)).not.toEqual(draw(random, 5));
});

test('whole numbers are uniform and within both bounds', () => {
  const random = Random.forSeed(2);
  const counts = new Array<number>(6).fill(0);
  for (let i = 0; i < 60_000; i++) counts[random.int(-2, 3) + 2]!++;
  for (const count of counts) expect(Math.abs(count - 10_000)).toBeLessThan(400);
});

test('weights are kept', () => {
  const random = Random.forSeed(3);
  const items = [
    { name: 'a', weight: 1 },
    { name: 'b', weight: 0 },
    { name: 'c', weight: 3 },
  ];
  const drawn = Array.from({ length: 10_000 }, () => random.weighted(items).name);
  expect(drawn.filter((name) => name === 'c').length / 10_000).toBeCloseTo(0.75, 1);
  expect(drawn).not.toContain('b');
});

test('shuffling keeps the items and leaves the list alone', () => {
  fc.assert(
    fc.property(fc.array(fc.integer()), fc.integer(), (items, seed) => {
      const before = [...items];
      const shuffled = Random.forSeed(seed).shuffle(items);
      expect(items).toEqual(before);
      expect(shuffled.toSorted()).toEqual(before.toSorted());
    }),
  );
});
