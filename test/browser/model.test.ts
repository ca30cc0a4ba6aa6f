import { expect, test } from 'vitest';
import { createDevice } from '../../src/device/create-device.ts';
import { createReferenceDevice } from '../../src/device/reference/device.ts';
import { createWebgpuDevice } from '../../src/device/webgpu/device.ts';
import { initializeModel } from '../../src/model/initialize.ts';
import { releaseModel } from '../../src/model/weights.ts';
import type { Device } from '../../src/tensor/device.ts';
import { allocateGradients, releaseGradients } from '../../src/train/gradients.ts';
import { forwardBackward } from '../../src/train/objective.ts';
import { AdamW } from '../../src/train/optimizer.ts';
import { stepTotals, trainingBatch } from '../../src/train/targets.ts';
import { smallConfig } from '../train/small-model.ts';

/** Losses of a few steps on one batch. */
async function losses(device: Device): Promise<number[]> {
  const config = { ...smallConfig, vocabSize: 32 };
  const model = await initializeModel(device, config, 1);
  const gradients = allocateGradients(model);
  const optimizer = new AdamW(model, gradients, {});
  const batch = trainingBatch([
    [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12],
    [7, 7, 7, 1, 2, 3, 4],
  ]);
  const totals = stepTotals([batch], config.mtpHeads);
  const list: number[] = [];
  for (let step = 0; step < 3; step++) {
    const result = await forwardBackward(model, gradients, batch, { totals, mtpLossWeight: 0.3 });
    await optimizer.step(0.05);
    list.push(result.nextToken.lossSum / totals.weights[0]!);
  }
  optimizer.release();
  releaseGradients(model, gradients);
  releaseModel(model);
  return list;
}

test('a model trains in a browser as it does on the reference device', async () => {
  const expected = await losses(createReferenceDevice());
  expect(expected[2]!).toBeLessThan(expected[0]!);
  const gpu = await createWebgpuDevice();
  // A software adapter is not taken unless it is asked for.
  const automatic = await createDevice('auto');
  expect(automatic.name).toBe('wasm');
  for (const device of [gpu, automatic]) {
    const actual = await losses(device);
    actual.forEach((loss, step) => {
      expect(loss, `${device.name}, step ${step}`).toBeCloseTo(expected[step]!, 4);
    });
    await device.destroy();
  }
});
