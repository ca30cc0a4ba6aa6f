import { describe, test } from 'vitest';
import { createWebgpuDevice } from '../../src/device/webgpu/device.ts';
import { adapterToTest } from '../support/adapter.ts';
import { withGarbage } from '../support/garbage.ts';
import { conformance } from './conformance.ts';

const found = await adapterToTest();

if (typeof found === 'string') {
  describe('conformance of webgpu', () => {
    test.skip(`not run: ${found}`, () => {});
  });
} else {
  // An adapter opens one device only, so each takes one of its own.
  conformance(`webgpu, ${found.description}`, () => createWebgpuDevice());
  conformance('webgpu, workgroup memory full of garbage', async () =>
    createWebgpuDevice({ found: withGarbage(found) }),
  );
}
