import { afterAll, beforeAll, describe, test } from 'vitest';
import { findAdapter } from '../../src/device/webgpu/adapter.ts';
import { createWebgpuDevice, type WebgpuDevice } from '../../src/device/webgpu/device.ts';
import { findMatrixUnits } from '../../src/device/webgpu/matrix-units.ts';
import { agreesWithReference, conformance } from './conformance.ts';
import { mixedCases } from './mixed-cases.ts';
import { samplingStatistics } from './sampling-statistics.ts';

/** Any adapter will do, a software one too; see docs/architecture.md for how to get one. */
const found = await findAdapter().catch((error: Error) => error);

if (found instanceof Error) {
  describe('conformance of webgpu', () => {
    test.skip(`not run: ${found.message}`, () => {});
  });
} else {
  conformance(`webgpu, ${found.description}`, () => createWebgpuDevice());
  samplingStatistics('webgpu', () => createWebgpuDevice());

  describe(`webgpu in mixed precision, ${found.description}`, () => {
    if (!findMatrixUnits(found.adapter)) {
      test.skip('not run: this adapter has no matrix units for f16', () => {});
      return;
    }
    let device: WebgpuDevice;
    beforeAll(async () => {
      device = await createWebgpuDevice({ precision: 'mixed' });
    });
    afterAll(() => device.destroy());
    test.each(
      mixedCases.map((opCase) => ({ opCase, name: opCase.name })),
    )('agrees with the reference: $name', async ({ opCase }) =>
      agreesWithReference(device, opCase));
  });
}
