import { expect, test } from 'vitest';
import { acceptsOnly, finalAnswer, splitOf } from './task.ts';

test('the answer is what follows the thinking, trimmed', () => {
  expect(finalAnswer(' 42\n')).toBe('42');
  expect(finalAnswer('<think>40+2\n</think>\n42')).toBe('42');
  expect(finalAnswer('<think></think>42')).toBe('42');
  expect(finalAnswer('40+2</think>42')).toBe('42');
});

test('thinking that never ended holds no answer', () => {
  expect(finalAnswer('<think>42')).toBe('');
});

test('a verifier is strict', () => {
  const verify = acceptsOnly('42', 'forty-two');
  expect(['42', ' 42 ', '<think>x</think>forty-two'].map(verify)).toEqual([true, true, true]);
  expect(['42.', '042', 'It is 42', '', '4 2', '<think>42'].some(verify)).toBe(false);
});

test('about one key in sixteen is held out, and what has no key never is', () => {
  const keys = Array.from({ length: 16_000 }, (_, i) => `key ${i}`);
  const heldOut = keys.filter((key) => splitOf(key) === 'test').length;
  expect(Math.abs(heldOut - 1000)).toBeLessThan(120);
  expect(splitOf(null)).toBe('train');
});
