import { describe, expect, test } from 'vitest';
import { adapterToTest } from '../../../test/support/adapter.ts';
import { withChangedDevice, withChanges } from '../../../test/support/changed-adapter.ts';
import { UserError } from '../../errors.ts';
import { findAdapter } from './adapter.ts';
import { createWebgpuDevice } from './device.ts';
import { matrixUnitFeatures } from './matrix-units.ts';

const here = describe.skipIf(typeof (await adapterToTest()) === 'string');

here('a driver that lies about its matrix units', () => {
  /** The adapter claims to have them; its device is opened without. */
  const lying = async () => {
    const honest = await findAdapter();
    const info = {
      ...{ subgroupMinSize: 32, subgroupMaxSize: 32 },
      subgroupMatrixConfigs: [
        { M: 16, N: 16, K: 16, componentType: 'f16', resultComponentType: 'f32' },
      ],
    };
    return withChanges(honest, {
      features: new Set([...honest.adapter.features, ...matrixUnitFeatures]),
      info: info as unknown as GPUAdapterInfo,
      requestDevice: (descriptor) => {
        const requiredFeatures = [...(descriptor?.requiredFeatures ?? [])].filter((name) =>
          honest.adapter.features.has(name as GPUFeatureName),
        );
        return honest.adapter.requestDevice({ ...descriptor, requiredFeatures });
      },
    });
  };

  test.each(['mixed', 'auto'] as const)('that do not compile, precision %s', async (precision) => {
    const opening = createWebgpuDevice({ found: await lying(), precision });
    await expect(opening).rejects.toThrow(
      /^WebGPU, .*: the driver offers matrix units for f16 \(.*\), but cannot use them \(.*\); go on with --precision f32$/,
    );
    await expect(opening).rejects.toThrow(UserError);
  });

  test('that compute something else', async () => {
    const wrong = withChangedDevice(await lying(), (device) => {
      const create = device.createShaderModule.bind(device);
      const nothing = '@compute @workgroup_size(1) fn main() {}';
      device.createShaderModule = (shader) =>
        create(shader.label?.startsWith('matmulUnits') ? { code: nothing } : shader);
    });
    await expect(createWebgpuDevice({ found: wrong, precision: 'mixed' })).rejects.toThrow(
      /^WebGPU, .*matrix units.*, but their products are wrong; go on with --precision f32$/,
    );
  });

  test('is none of the matter in f32', async () => {
    const device = await createWebgpuDevice({ found: await lying() });
    expect(device.precision).toBe('f32');
    await device.destroy();
  });
});
