import { expect, test } from 'vitest';
import { gradientScale } from './gradient-scale.ts';

const filled = (size: number, value: number) => new Float32Array(size).fill(value);

test('brings the mean gradient of next tokens near 64, as a power of two', () => {
  const scale = gradientScale([filled(1000, -1 / 65_536)]);
  expect(scale).toBe(64 * 65_536);
  expect(gradientScale([filled(1000, -1 / 50_000)]) / (64 * 50_000)).toBeCloseTo(1, 0);
  expect(Number.isInteger(Math.log2(gradientScale([filled(1000, -1 / 50_000)])))).toBe(true);
});

test('zeros say nothing', () => {
  const some = filled(1000, 0);
  some[3] = 1 / 1024;
  expect(gradientScale([some])).toBe(64 * 1024);
  expect(gradientScale([filled(10, 0), some])).toBe(64 * 1024);
  expect(gradientScale([filled(10, 0)])).toBe(1);
  expect(gradientScale([])).toBe(1);
});

test('one large advantage stays in the range of f16', () => {
  const tail = filled(1000, 1e-6);
  tail[0] = -0.05;
  expect(0.05 * gradientScale([tail])).toBeLessThan(2 * 256);
  expect(gradientScale([tail], 1024)).toBe(gradientScale([tail]) / 1024);
});

test('heads stay in the range of f16 where the policy has next to nothing to learn', () => {
  // Teacher and student agree but for rounding; the heads learn as ever.
  const scale = gradientScale([filled(1000, 1e-11), filled(1000, 1e-6), filled(1000, 1e-6)]);
  expect(1e-6 * scale).toBeLessThan(2 * 256);
  expect(1e-11 * scale).toBeGreaterThan(6e-5);
});

test('what is next to nothing is not made infinite', () => {
  expect(gradientScale([filled(10, 1e-38)])).toBe(2 ** 60);
});
