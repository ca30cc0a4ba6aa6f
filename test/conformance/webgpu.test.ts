import { describe, test } from 'vitest';
import { findAdapter } from '../../src/device/webgpu/adapter.ts';
import { createWebgpuDevice } from '../../src/device/webgpu/device.ts';
import { conformance } from './conformance.ts';
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
}
