import { afterAll, expect, test } from 'vitest';
import { tinyConfig } from '../../../test/tiny-config.ts';
import { createReferenceDevice } from '../../device/reference/device.ts';
import { createWasmDevice } from '../../device/wasm/device.ts';
import { Engine } from '../../engine/engine.ts';
import { initializeModel } from '../../model/initialize.ts';
import { type Model, releaseModel } from '../../model/weights.ts';
import type { Device } from '../../tensor/device.ts';
import { allocatePolicyCopy, bringWeights } from './policy-copy.ts';

const device = await createWasmDevice({ threads: 1 });
const config = tinyConfig({ hiddenSize: 128, intermediateSize: 128, initializerRange: 0.1 });
afterAll(() => device.destroy());

const prompt = Array.from({ length: 80 }, (_, i) => 3 + ((i * i) % 19));

async function logprobs(engine: Engine): Promise<number[]> {
  const asked = { maxTokens: 0, promptLogprobs: { top: 0, from: 1 } };
  for await (const step of engine.generate(prompt, asked)) {
    return step.prompt!.logprobs!.map((score) => score!.logprob);
  }
  return [];
}

async function alone(model: Model): Promise<number[]> {
  const engine = new Engine(model);
  const own = await logprobs(engine);
  await engine.release();
  return own;
}

const distance = (one: readonly number[], other: readonly number[]) =>
  one.reduce((sum, value, i) => sum + Math.abs(value - other[i]!), 0) / one.length;

test.each([
  null,
  8,
  4,
] as const)('a copy of %s bits follows the trainer’s weights', async (bits) => {
  const trainers = [
    await initializeModel(device, config, 1),
    await initializeModel(device, config, 2),
  ];
  const copy = allocatePolicyCopy(device, config, bits);
  await bringWeights(trainers[0]!, copy);
  const engine = new Engine(copy);
  const [first, second] = [await alone(trainers[0]!), await alone(trainers[1]!)];
  // Rounding is small beside what is learnt.
  const most = { null: 1e-6, 8: 0.05, 4: 0.3 }[`${bits}`]!;
  expect(distance(await logprobs(engine), first)).toBeLessThan(most);
  await engine.updateWeights(1, () => bringWeights(trainers[1]!, copy));
  expect(distance(await logprobs(engine), second)).toBeLessThan(most);
  expect(distance(first, second)).toBeGreaterThan(2 * most);
  await engine.release();
  for (const model of [...trainers, copy]) releaseModel(model);
  expect(device.allocatedBytes).toBe(0);
});

test('a device without quantised weights says so', () => {
  const plain = Object.assign(createReferenceDevice(), { writeQuantized: undefined });
  expect(() => allocatePolicyCopy(plain as unknown as Device, config, 8)).toThrow(
    /^the reference device has no quantised weights/,
  );
});
