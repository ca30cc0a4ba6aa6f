import { expect, test } from 'vitest';
import { tinyConfig } from '../../test/tiny-config.ts';
import { createReferenceDevice } from '../device/reference/device.ts';
import { readFloats, Scope } from '../tensor/scope.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { type KeyValueCache, packDocuments } from './batch.ts';
import { initializeModel } from './initialize.ts';
import { fillCache, trunk } from './trunk.ts';

test('filling a cache gives it what the whole trunk gives it', async () => {
  const device = createReferenceDevice();
  const config = tinyConfig({ mtpHeads: 0 });
  const model = await initializeModel(device, config, 1);
  const scope = new Scope(device);
  const documents = [9, 23].map((length) => Array.from({ length }, (_, i) => (i * 7) % 20));
  const batch = packDocuments(scope, documents);
  const keptBy = async (pass: (cache: KeyValueCache) => unknown) => {
    const kept: Tensor[] = [];
    pass((slot) => ({
      past: null,
      round: () => {},
      keep: (key, value) => kept.splice(2 * slot, 2, key, value),
    }));
    return Promise.all(kept.map((tensor) => readFloats(device, tensor)));
  };
  const whole = await keptBy((cache) => trunk(scope, model, batch, { cache }));
  const filled = await keptBy((cache) => fillCache(scope, model, batch, cache));
  expect(whole).toHaveLength(2 * config.layers.length);
  expect(filled).toEqual(whole);
  scope.close();
  await device.destroy();
});
