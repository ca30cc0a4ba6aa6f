import { afterAll, beforeAll, describe, test } from 'vitest';
import { createWebgpuDevice, type WebgpuDevice } from '../../src/device/webgpu/device.ts';
import { findMatrixUnits } from '../../src/device/webgpu/matrix-units.ts';
import { adapterToTest } from '../support/adapter.ts';
import { withGarbage } from '../support/garbage.ts';
import { cacheCases } from './cache-cases.ts';
import { agreesWithReference, conformance } from './conformance.ts';
import { inferenceCases } from './inference-cases.ts';
import { mixedCases } from './mixed-cases.ts';
import { quantizedCases } from './quantized-cases.ts';
import { samplingStatistics } from './sampling-statistics.ts';

const found = await adapterToTest();

if (typeof found === 'string') {
  describe('conformance of webgpu', () => {
    test.skip(`not run: ${found}`, () => {});
  });
} else {
  // An adapter opens one device only, so each takes one of its own.
  const quantized = 'exact';
  const caches = ['f16'] as const;
  conformance(`webgpu, ${found.description}`, () => createWebgpuDevice(), {
    quantized,
    caches,
  });
  conformance(
    'webgpu, workgroup memory full of garbage',
    async () => createWebgpuDevice({ found: withGarbage(found) }),
    { quantized, caches },
  );
  const cases = [...inferenceCases, ...quantizedCases, ...caches.flatMap(cacheCases)];
  const ofInference = new Set(cases.map(({ name }) => name));
  conformance(
    'webgpu, kernels of inference without subgroups',
    () => createWebgpuDevice({ subgroups: false }),
    { only: ({ name }) => ofInference.has(name), quantized, caches },
  );
  // Every weight and its gradient in several pieces; activations must fit.
  for (const { bytes, cases } of [
    {
      bytes: 2 ** 14,
      cases: /^(linear(?!\(rmsNorm)|groupedLinear rows (?!130)|experts |add |adamw|gradientStat)/,
    },
    { bytes: 2 ** 9, cases: /^gatherRows with/ },
  ]) {
    conformance(
      `webgpu, bindings of ${bytes} bytes`,
      () => createWebgpuDevice({ bindingBytes: bytes }),
      { only: ({ name }) => cases.test(name) },
    );
  }
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
