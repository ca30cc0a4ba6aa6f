import { expect, test } from 'vitest';
import { TestRandom } from '../../test/conformance/random.ts';
import { dequantize, quantize } from './quantize.ts';
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
