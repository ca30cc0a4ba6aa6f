import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createReferenceDevice } from '../../src/device/reference/device.ts';
import type { Device } from '../../src/tensor/device.ts';
import { cacheCases } from './cache-cases.ts';
import type { HostTensor, OpCase } from './case.ts';
import { inferenceCases } from './inference-cases.ts';
import { kernelCases } from './kernel-cases.ts';
import { opCases } from './op-cases.ts';
import { quantizedCases } from './quantized-cases.ts';
import { TestRandom } from './random.ts';
import { objective, runCase } from './run-case.ts';

/**
 * What every device must do: agree with the reference device on outputs and gradients of every op, and
 * have gradients that agree with finite differences of its own outputs. `only` chooses some cases.
 * `quantized`: it takes such weights, and may round activations then; or it never does. `caches`: types
 * that it has besides f32.
 */
export function conformance(
  name: string,
  create: () => Promise<Device>,
  {
    only = () => true,
    quantized,
    caches = [],
  }: {
    only?: (opCase: OpCase) => boolean;
    quantized?: 'rounding' | 'exact';
    caches?: readonly ('f16' | 'i8')[];
  } = {},
): void {
  const cases = [...opCases, ...kernelCases, ...inferenceCases, ...caches.flatMap(cacheCases)];
  for (const { tolerance, ...opCase } of quantized ? quantizedCases : []) {
    cases.push({
      ...opCase,
      ...(tolerance && { tolerance: quantized === 'exact' ? 1e-5 : tolerance }),
    });
  }
  describe(`conformance of ${name}`, () => {
    let device: Device;
    beforeAll(async () => {
      device = await create();
    });
    afterAll(() => device.destroy());

    describe('agrees with the reference', () => {
      test.each(
        cases.filter(only).map((opCase) => ({ opCase, name: opCase.name })),
      )('$name', async ({ opCase }) => {
        await agreesWithReference(device, opCase);
      });
    });

    const differentiable = opCases
      .filter(only)
      .filter((opCase) => opCase.differentiable.length > 0);
    if (differentiable.length === 0) return;
    describe('gradients agree with finite differences', () => {
      test.each(differentiable.map((opCase) => ({ opCase, name: opCase.name })))('$name', async ({
        opCase,
      }) => {
        const results = await runCase(device, opCase);
        for (const input of opCase.differentiable) {
          await checkGradient(device, opCase, input, results[`d ${input}`] as Float32Array);
        }
      });
    });
  });
}

/** Compares outputs and gradients with the reference device's, and sees that no memory is left over. */
export async function agreesWithReference(device: Device, opCase: OpCase): Promise<void> {
  const before = device.allocatedBytes;
  const actual = await runCase(device, opCase);
  const expected = await runCase(createReferenceDevice(), opCase);
  expect(Object.keys(actual)).toEqual(Object.keys(expected));
  for (const key of Object.keys(expected)) {
    const error = relativeError(actual[key]!, expected[key]!);
    const limit = expected[key] instanceof Int32Array ? 0 : (opCase.tolerance ?? 2e-6);
    expect(error, `largest error of ${key}`).toBeLessThanOrEqual(limit);
  }
  expect(device.allocatedBytes).toBe(before);
}

/** Compares g·u with the central difference of the objective along random directions u. */
async function checkGradient(
  device: Device,
  opCase: OpCase,
  input: string,
  gradient: Float32Array,
): Promise<void> {
  const { shape, data } = opCase.inputs[input]!;
  if (data.length === 0) return;
  const random = new TestRandom(3);
  const step = 4e-3;
  for (let trial = 0; trial < 2; trial++) {
    const direction = random.floats(data.length);
    const shifted = (sign: number): Record<string, HostTensor> => ({
      ...opCase.inputs,
      [input]: {
        shape,
        data: (data as Float32Array).map((x, i) => x + sign * step * direction[i]!),
      },
    });
    const above = await objective(device, opCase, shifted(1));
    const below = await objective(device, opCase, shifted(-1));
    const numeric = (above - below) / (2 * step);
    let analytic = 0;
    let scale = 0;
    for (let i = 0; i < gradient.length; i++) {
      analytic += gradient[i]! * direction[i]!;
      scale += (gradient[i]! * direction[i]!) ** 2;
    }
    const size = Math.sqrt(scale) + 1e-3 * Math.abs(above) + 1e-3;
    expect(Math.abs(numeric - analytic) / size, `along a direction of ${input}`).toBeLessThan(1e-2);
  }
}

/**
 * Largest difference, relative to the largest magnitude expected, but to no less than 1: where
 * everything cancels, only rounding is left. Infinite if anything is NaN.
 */
function relativeError(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  if (actual.length !== expected.length) return Number.POSITIVE_INFINITY;
  let largest = 1;
  let error = 0;
  for (let i = 0; i < expected.length; i++) {
    largest = Math.max(largest, Math.abs(expected[i]!));
    const difference = Math.abs(actual[i]! - expected[i]!);
    error = Number.isNaN(difference) ? Number.POSITIVE_INFINITY : Math.max(error, difference);
  }
  return error / largest;
}
