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
  // Every weight and its gradient in several pieces; activations must fit.
  for (const { bytes, cases } of [
    { bytes: 2 ** 14, cases: /^(linear|groupedLinear rows (?!130)|add |adamw|gradientStat)/ },
    { bytes: 2 ** 9, cases: /^gatherRows with/ },
  ]) {
    conformance(
      `webgpu, bindings of ${bytes} bytes`,
      () => createWebgpuDevice({ bindingBytes: bytes }),
      ({ name }) => cases.test(name),
    );
  }
}
