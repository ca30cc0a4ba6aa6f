import { expect, test } from 'vitest';
import { sample } from '../../../test/rl/rollouts.ts';
import { adapterToTest } from '../../../test/support/adapter.ts';
import { smallConfig } from '../../../test/train/small-model.ts';
import { createReferenceDevice } from '../../device/reference/device.ts';
import { createWasmDevice } from '../../device/wasm/device.ts';
import { createWebgpuDevice } from '../../device/webgpu/device.ts';
import { initializeModel } from '../../model/initialize.ts';
import { releaseModel } from '../../model/weights.ts';
import type { Device } from '../../tensor/device.ts';
import { readFloats } from '../../tensor/scope.ts';
import { grpo } from '../algorithms/grpo.ts';
import type { Trajectory } from '../trajectory.ts';
import { PolicyTrainer } from './policy-trainer.ts';

const devices: [string, () => Promise<Device>][] = [
  ['wasm', () => createWasmDevice({ threads: 2 })],
];
if (typeof (await adapterToTest()) !== 'string') {
  devices.push(['webgpu', () => createWebgpuDevice()]);
}

/** Two steps on the same trajectories, and the router afterwards. */
async function train(device: Device, drawn: readonly Trajectory[]) {
  const model = await initializeModel(device, smallConfig, 5);
  const trainer = new PolicyTrainer(model, {
    schedule: () => 1e-3,
    adamw: { epsilon: 1e-3 },
    microBatchTokens: 30,
    recompute: 'layers',
  });
  const examples = drawn.map((trajectory) => ({ trajectory, teacher: null }));
  const steps = [await trainer.step(examples, grpo(), 0), await trainer.step(examples, grpo(), 1)];
  const router = model.parameters.get('model.layers.1.mlp.gate.weight')!;
  const values = await readFloats(device, router);
  trainer.release();
  releaseModel(model);
  return { steps, values };
}

test.each(devices)('steps on %s are those of the reference', async (_, create) => {
  const reference = createReferenceDevice();
  const model = await initializeModel(reference, smallConfig, 5);
  const drawn = await sample(model, { prompts: [[1, 5, 3]], samples: 4, maxTokens: 9 });
  const rewarded = drawn.map((trajectory, i) => ({ ...trajectory, reward: i }));
  releaseModel(model);
  const wanted = await train(reference, rewarded);
  const device = await create();
  const found = await train(device, rewarded);
  expect(device.allocatedBytes).toBe(0);
  await device.destroy();
  wanted.steps.forEach((step, i) => {
    const other = found.steps[i]!;
    expect(other.routesReplayed).toBe(2 * 4 * 11);
    expect(other.mismatch.largestGap).toBeCloseTo(step.mismatch.largestGap, 3);
    expect(other.gradient.norm / step.gradient.norm).toBeCloseTo(1, 3);
    expect(other.entropy).toBeCloseTo(step.entropy, 4);
    expect(other.mtpLosses[1]).toBeCloseTo(step.mtpLosses[1]!, 4);
  });
  // The second step has moved away from the sampler, and is weighed by how far.
  expect(wanted.steps[1]!.mismatch.largestGap).toBeGreaterThan(1e-3);
  wanted.values.forEach((value, i) => {
    expect(found.values[i]).toBeCloseTo(value, 4);
  });
});
