import { expect, test } from 'vitest';
import { thin } from './series.ts';

test('thinning keeps both ends', () => {
  expect(thin([1, 2, 3], 5)).toEqual([1, 2, 3]);
  expect(thin([0, 1, 2, 3, 4, 5, 6, 7, 8], 3)).toEqual([0, 4, 8]);
});
