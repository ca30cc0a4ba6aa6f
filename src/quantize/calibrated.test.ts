import { expect, test } from 'vitest';
import { TestRandom } from '../../test/conformance/random.ts';
import { dequantize, quantize } from '../tensor/quantize.ts';
import { quantizeCalibrated } from './calibrated.ts';

const random = new TestRandom(21);
const [rows, columns, samples] = [48, 128, 400];

const directions = random.floats(6 * columns);

/** Inputs that vary together, as those of a model do: a few directions and some noise. */
function inputsOf(): Float32Array {
  const inputs = random.floats(samples * columns, 0.1);
  for (let s = 0; s < samples; s++) {
    for (const [d, share] of random.floats(6).entries()) {
      for (let c = 0; c < columns; c++) {
        inputs[s * columns + c]! += share * directions[d * columns + c]!;
      }
    }
  }
  return inputs;
}

function momentsOf(inputs: Float32Array): Float32Array {
  const moments = new Float32Array(columns * columns);
  for (let s = 0; s < samples; s++) {
    for (let i = 0; i < columns; i++) {
      for (let j = 0; j < columns; j++) {
        moments[i * columns + j]! += inputs[s * columns + i]! * inputs[s * columns + j]!;
      }
    }
  }
  return moments;
}

/** Mean squared change of the products. */
function change(weights: Float32Array, rounded: Float32Array, inputs: Float32Array): number {
  let sum = 0;
  for (let s = 0; s < samples; s++) {
    for (let r = 0; r < rows; r++) {
      let product = 0;
      for (let c = 0; c < columns; c++) {
        const lost = weights[r * columns + c]! - rounded[r * columns + c]!;
        product += lost * inputs[s * columns + c]!;
      }
      sum += product ** 2;
    }
  }
  return sum / (samples * rows);
}

const weights = random.floats(rows * columns);

test.each([8, 4] as const)('%i bits: products change less than by rounding numbers', (bits) => {
  const inputs = inputsOf();
  const calibrated = dequantize(quantizeCalibrated(weights, momentsOf(inputs), bits), bits);
  const nearest = dequantize(quantize(weights, bits), bits);
  const ratio = change(weights, calibrated, inputs) / change(weights, nearest, inputs);
  expect(ratio).toBeLessThan(0.3);
});

test('inputs that do not vary together leave nothing to make up for: the nearest steps', () => {
  const identity = new Float32Array(columns * columns);
  for (let i = 0; i < columns; i++) identity[i * (columns + 1)] = 3;
  expect(quantizeCalibrated(weights, identity, 4)).toEqual(quantize(weights, 4));
});

test('a matrix that no input has passed is rounded for itself', () => {
  const none = new Float32Array(columns * columns);
  expect(quantizeCalibrated(weights, none, 8)).toEqual(quantize(weights, 8));
});

test('what was trained onto rounded weights shows in the products', () => {
  const inputs = inputsOf();
  const moments = momentsOf(inputs);
  const before = dequantize(quantize(weights, 4), 4);
  // As a gradient does: along a direction of the inputs, by a small part of a step.
  const after = before.map((value, i) => value + 0.02 * Math.sign(directions[i % columns]!));
  const trained = change(after, before, inputs);
  const lost = change(after, dequantize(quantize(after, 4), 4), inputs);
  expect(lost / trained).toBeGreaterThan(0.5);
  const kept = change(after, dequantize(quantizeCalibrated(after, moments, 4), 4), inputs);
  expect(kept / trained).toBeLessThan(0.3);
});
