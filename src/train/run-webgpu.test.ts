import fs from 'node:fs/promises';
import os from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { adapterToTest } from '../../test/support/adapter.ts';
import { withChangedDevice } from '../../test/support/changed-adapter.ts';
import { smallRun } from '../../test/train/small-run.ts';
import { findAdapter } from '../device/webgpu/adapter.ts';
import { createWebgpuDevice, type WebgpuDevice } from '../device/webgpu/device.ts';
import { UserError } from '../errors.ts';
import { parseTrainingConfig } from './config.ts';
import { runTraining } from './run.ts';

/** One device for all that goes well: each new one compiles every kernel again. */
let healthy: WebgpuDevice;
let folder: string;

/** A run of four steps with a checkpoint after the second. */
async function train(
  output: string,
  device: WebgpuDevice,
  options: { changes?: object; afterStep?: (step: number) => void } = {},
): Promise<void> {
  const json = smallRun({ output, steps: 4, ...options.changes });
  const config = parseTrainingConfig(json, join(folder, 'train.json'));
  for await (const event of runTraining(device, config)) {
    if (event.type === 'step') options.afterStep?.(event.step);
  }
}

async function expectSameRun(one: string, other: string): Promise<void> {
  for (const name of ['model.safetensors', 'optimizer.safetensors']) {
    const [a, b] = await Promise.all(
      [one, other].map((run) => fs.readFile(join(folder, run, 'step-000004', name))),
    );
    expect(a!.equals(b!), name).toBe(true);
  }
}

/** A device, and what changes it later; `change` gets the device of WebGPU before anyone uses it. */
async function changedDevice(change: (device: GPUDevice) => void): Promise<WebgpuDevice> {
  return createWebgpuDevice({ found: withChangedDevice(await findAdapter(), change) });
}

const here = describe.skipIf(typeof (await adapterToTest()) === 'string');

here('training on a GPU', () => {
  beforeAll(async () => {
    folder = await fs.mkdtemp(join(os.tmpdir(), 'run-webgpu-'));
    healthy = await createWebgpuDevice();
    await train('whole', healthy);
  });
  afterAll(async () => {
    await healthy.destroy();
    await fs.rm(folder, { recursive: true });
  });

  test('that is lost in the middle of a step goes on from the last checkpoint', async () => {
    let losing = false;
    const device = await changedDevice((gpu) => {
      const create = gpu.createCommandEncoder.bind(gpu);
      let submissions = 0;
      gpu.createCommandEncoder = (descriptor) => {
        if (losing && ++submissions === 3) gpu.destroy();
        return create(descriptor);
      };
    });
    const lost = train('lost', device, {
      afterStep: (step) => {
        losing = step === 3;
      },
    });
    await expect(lost).rejects.toThrow(
      /^the GPU was lost: [^\n;]+; the last checkpoint is [^\n]*step-000002$/,
    );
    await expect(lost).rejects.toThrow(UserError);
    await device.destroy();
    await train('lost', healthy);
    await expectSameRun('lost', 'whole');
  });

  test('with too little memory says what would help, and goes on where there is more', async () => {
    await train('short', healthy, { changes: { steps: 2 } });
    // WebGPU says that there was no memory for a buffer when the scope around its making is closed.
    const device = await changedDevice((gpu) => {
      const [create, close] = [gpu.createBuffer.bind(gpu), gpu.popErrorScope.bind(gpu)];
      let bytes = 0;
      gpu.createBuffer = (descriptor) => {
        bytes += descriptor.size;
        return create(descriptor);
      };
      gpu.popErrorScope = async () => {
        const error = bytes > 600_000 ? ({ message: 'no memory' } as GPUError) : null;
        return error ?? close();
      };
    });
    const short = train('short', device);
    await expect(short).rejects.toThrow(
      /^the GPU has no \S+ MiB more: \S+ MiB are in use; .*"recompute": "layers" needs less.*microBatchTokens than 64.*; the last checkpoint is .*step-000002$/,
    );
    await expect(short).rejects.toThrow(UserError);
    await device.destroy();
    // What was advised is accepted, and changes no bit.
    await train('short', healthy, { changes: { recompute: 'layers' } });
    await expectSameRun('short', 'whole');
  });
});
