import { expect, test } from 'vitest';
import { smallConfig } from '../../test/train/small-model.ts';
import { createReferenceDevice } from '../device/reference/device.ts';
import { initializeModel } from '../model/initialize.ts';
import { Random } from '../random.ts';
import { readFloats } from '../tensor/scope.ts';
import { addLoads, loadViolation, updateExpertBias } from './expert-bias.ts';
import { score } from './objective.ts';
import { trainingBatch } from './targets.ts';

test('the bias moves towards experts with less than the mean load', async () => {
  const model = await initializeModel(createReferenceDevice(), smallConfig, 1);
  await updateExpertBias(
    model,
    [
      [10, 2, 6, 6],
      [0, 0, 0, 0],
    ],
    0.5,
  );
  const bias = (layer: number) =>
    readFloats(
      model.device,
      model.parameters.get(`model.layers.${layer}.mlp.gate.e_score_correction_bias`)!,
    );
  expect([...(await bias(1))]).toEqual([-0.5, 0.5, 0, 0]);
  expect([...(await bias(2))]).toEqual([0, 0, 0, 0]);
});

test('repeated updates balance the load', async () => {
  const model = await initializeModel(createReferenceDevice(), smallConfig, 3);
  const random = new Random(2);
  const tokens = Int32Array.from({ length: 60 }, () => random.int(0, 23));
  const violations: number[] = [];
  for (let step = 0; step < 60; step++) {
    const { expertLoads } = await score(model, trainingBatch([tokens]), 0);
    const loads: Float64Array[] = [];
    addLoads(loads, expertLoads);
    violations.push(Math.max(...loads.map((load) => loadViolation(load).mean)));
    await updateExpertBias(model, loads, 0.02);
  }
  expect(violations.at(-1)!).toBeLessThan(violations[0]! / 2);
});

test('violation is relative to the mean load', () => {
  expect(loadViolation([8, 4, 4, 0])).toEqual({ max: 1, mean: 0.5 });
  expect(loadViolation([3, 3])).toEqual({ max: 0, mean: 0 });
  expect(loadViolation([0, 0])).toEqual({ max: 0, mean: 0 });
});

test('loads add up over micro-batches', () => {
  const sums: Float64Array[] = [];
  addLoads(sums, [Int32Array.of(1, 2)]);
  addLoads(sums, [Int32Array.of(3, 0)]);
  expect(sums.map((sum) => [...sum])).toEqual([[4, 2]]);
});
