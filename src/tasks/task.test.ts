import { expect, test } from 'vitest';
import { splitOf } from './task.ts';

test('about one key in sixteen is held out, and what has no key never is', () => {
  const keys = Array.from({ length: 16_000 }, (_, i) => `key ${i}`);
  const heldOut = keys.filter((key) => splitOf(key) === 'test').length;
  expect(Math.abs(heldOut - 1000)).toBeLessThan(120);
  expect(splitOf(null)).toBe('train');
});
