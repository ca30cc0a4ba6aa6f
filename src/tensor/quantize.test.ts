import { describe, expect, test } from 'vitest';
import { TestRandom } from '../../test/conformance/random.ts';
import { dequantize, distanceFromSteps, quantize } from './quantize.ts';
import { isQuantizable, QuantizedMatrix, quantizedByteLength } from './quantized-matrix.ts';

const random = new TestRandom(8);

test.each([8, 4] as const)('%i bits: each number is near its own', (bits) => {
  const values = random.floats(64 * 32, 0.3);
  const found = dequantize(quantize(values, bits), bits);
  for (let group = 0; group < 64; group++) {
    const own = values.subarray(32 * group, 32 * group + 32);
    const largest = own.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    // Half a step of 8 bits; of 4, what the largest may be cut by so that the others are nearer.
    const limit = bits === 8 ? largest / 250 : largest * 0.14;
    own.forEach((value, i) => {
      expect(Math.abs(found[32 * group + i]! - value)).toBeLessThanOrEqual(limit);
    });
  }
});

test.each([8, 4] as const)('%i bits: numbers that are whole steps are exact', (bits) => {
  const lowest = -(2 ** (bits - 1));
  const largest = bits === 8 ? 127 : lowest;
  const values = Float32Array.from({ length: 512 }, (_, i) =>
    i % 32 === 7 ? largest / 16 : (lowest + 1 + random.int(2 ** bits - 1)) / 16,
  );
  const found = dequantize(quantize(values, bits), bits);
  found.forEach((value, i) => {
    expect(value).toBeCloseTo(values[i]!, 12);
  });
});

test('4 bits lose little: a relative error of 0.1 on normal numbers', () => {
  const values = random.floats(2 ** 14);
  const found = dequantize(quantize(values, 4), 4);
  const power = (numbers: Float32Array) => numbers.reduce((sum, x) => sum + x * x, 0);
  const error = power(values.map((value, i) => value - found[i]!)) / power(values);
  expect(Math.sqrt(error)).toBeLessThan(0.1);
});

describe('weights that moved by a third of a step since they were rounded', () => {
  const before = dequantize(quantize(random.floats(2 ** 14), 4), 4);
  // The largest of a group stays, and with it the steps.
  const move = before.map((value) => (Math.abs(value) < 0.5 ? 0.02 : 0));
  const after = before.map((value, i) => value + move[i]!);
  const moved = (rounded: Float32Array) =>
    rounded.reduce((sum, value, i) => sum + value - before[i]!, 0) /
    move.reduce((sum, value) => sum + value, 0);

  test('nearest gives most of them back as they were', () => {
    expect(Math.abs(moved(dequantize(quantize(after, 4), 4)))).toBeLessThan(0.3);
  });

  test('stochastic keeps the move, as a mean', () => {
    const kept = moved(dequantize(quantize(after, 4, 'stochastic'), 4));
    // All but what is now above the highest step of its group.
    expect(kept).toBeGreaterThan(0.85);
    expect(kept).toBeLessThan(1.05);
  });

  test('they are nearer to steps than weights that were never rounded', () => {
    expect(distanceFromSteps(before, 4)).toBeCloseTo(0, 3);
    expect(distanceFromSteps(after, 4)).toBeLessThan(0.5);
    expect(distanceFromSteps(random.floats(2 ** 14), 4)).toBeGreaterThan(0.8);
  });
});

test.each([
  8, 4,
] as const)('%i bits, stochastic: right on average, and the same each time', (bits) => {
  const values = new Float32Array(2 ** 15).fill(0.3);
  values.forEach((_, i) => {
    if (i % 32 === 0) values[i] = -1;
  });
  const rows = quantize(values, bits, 'stochastic');
  expect(quantize(values, bits, 'stochastic')).toEqual(rows);
  const rounded = dequantize(rows, bits).filter((_, i) => i % 32 !== 0);
  expect(new Set(rounded).size).toBe(2);
  expect(rounded.reduce((sum, value) => sum + value, 0) / rounded.length).toBeCloseTo(0.3, 3);
});

test('groups of zeros and of huge and tiny numbers stay numbers', () => {
  const values = new Float32Array(96);
  values.fill(3e38, 32, 64);
  values.fill(1e-42, 64);
  for (const bits of [8, 4] as const) {
    const found = dequantize(quantize(values, bits), bits);
    expect(found.subarray(0, 32).every((value) => value === 0)).toBe(true);
    expect(found.every(Number.isFinite)).toBe(true);
    for (const value of found.subarray(32, 64)) expect(value / 3e38).toBeCloseTo(1, 1);
  }
});

test('slices of a matrix are whole blocks, those of experts any', () => {
  const storage = { byteLength: quantizedByteLength([6, 8, 128], 8) };
  const experts = new QuantizedMatrix([6, 8, 128], 8, storage);
  expect(experts.slice(1, 3).byteOffset).toBe(quantizedByteLength([8, 128], 8));
  const matrix = new QuantizedMatrix([48, 128], 8, storage);
  expect(matrix.slice(8, 12).rows).toBe(4);
  expect(() => matrix.slice(2, 8)).toThrow('cuts a block of 4 rows');
  expect([[8, 128], [8, 64], [6, 128], [128]].map(isQuantizable)).toEqual([
    true,
    false,
    false,
    false,
  ]);
});
