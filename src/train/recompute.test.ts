import { describe, expect, test } from 'vitest';
import { adapterToTest } from '../../test/support/adapter.ts';
import { smallConfig } from '../../test/train/small-model.ts';
import { createReferenceDevice } from '../device/reference/device.ts';
import { createWasmDevice } from '../device/wasm/device.ts';
import { createWebgpuDevice } from '../device/webgpu/device.ts';
import { initializeModel } from '../model/initialize.ts';
import { releaseModel } from '../model/weights.ts';
import { Random } from '../random.ts';
import type { Device } from '../tensor/device.ts';
import { readFloats } from '../tensor/scope.ts';
import { allocateGradients, releaseGradients } from './gradients.ts';
import { forwardBackward, type Recompute } from './objective.ts';
import { stepTotals, trainingBatch } from './targets.ts';

const random = new Random(4);
const document = (length: number) =>
  Array.from({ length }, () => random.int(0, smallConfig.vocabSize - 1));
const batch = trainingBatch([document(60), document(30)]);

/** Everything that a micro-batch gives, and the most memory that was in use. */
async function gradientsOf(device: Device, recompute: Recompute, only?: (name: string) => boolean) {
  const model = await initializeModel(device, smallConfig, 5);
  const gradients = allocateGradients(model, only);
  let peak = 0;
  const watched = new Proxy(device, {
    get(target, name) {
      if (name !== 'allocate') {
        const value = Reflect.get(target, name, target);
        return typeof value === 'function' ? value.bind(target) : value;
      }
      return (byteLength: number) => {
        const storage = target.allocate(byteLength);
        peak = Math.max(peak, target.allocatedBytes);
        return storage;
      };
    },
  });
  const result = await forwardBackward({ ...model, device: watched }, gradients, batch, {
    ...{ totals: stepTotals([batch], smallConfig.mtpHeads), recompute },
    ...{ mtpLossWeight: 0.3, balanceCoefficient: 0.05 },
  });
  const values = [];
  for (const gradient of gradients.values()) values.push(await readFloats(device, gradient));
  releaseGradients(model, gradients);
  releaseModel(model);
  expect(device.allocatedBytes).toBe(0);
  return { result, values, peak };
}

const devices: [string, () => Promise<Device>][] = [
  ['reference', async () => createReferenceDevice()],
  ['wasm', () => createWasmDevice({ threads: 2 })],
];
if (typeof (await adapterToTest()) !== 'string')
  devices.push(['webgpu', () => createWebgpuDevice()]);

describe.each(devices)('recomputing layers on %s', (_, create) => {
  test('gives the same bits and needs less memory', async () => {
    const device = await create();
    const kept = await gradientsOf(device, 'none');
    const again = await gradientsOf(device, 'layers');
    expect(kept.values.some((gradient) => gradient.some((x) => x !== 0))).toBe(true);
    expect(again.values).toEqual(kept.values);
    expect(again.result).toEqual(kept.result);
    expect(again.peak).toBeLessThan(0.6 * kept.peak);
    await device.destroy();
  });
});

test('recomputing reaches parameters where what comes before them is frozen', async () => {
  const device = createReferenceDevice();
  const only = (name: string) => name.startsWith('model.layers.1.');
  const kept = await gradientsOf(device, 'none', only);
  const again = await gradientsOf(device, 'layers', only);
  expect(kept.values.some((gradient) => gradient.some((x) => x !== 0))).toBe(true);
  expect(again.values).toEqual(kept.values);
});
