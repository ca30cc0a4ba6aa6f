import { afterAll, afterEach, expect } from 'vitest';
import { Engine } from '../../src/engine/engine.ts';
import type { EngineOptions } from '../../src/engine/engine-options.ts';
import { Sequence } from '../../src/engine/sequence.ts';
import type { ModelConfig } from '../../src/model/config.ts';
import { initializeModel } from '../../src/model/initialize.ts';
import { type Model, releaseModel, type TrainableModel } from '../../src/model/weights.ts';
import type { Device } from '../../src/tensor/device.ts';
import { tinyConfig } from '../tiny-config.ts';

/**
 * Opens models and what generates with them, for the tests of a file. After each test all of it is released,
 * and the devices must have their memory back.
 */
export function openModels(...devices: [Device, ...Device[]]) {
  const open: (() => void | Promise<void>)[] = [];
  afterEach(async () => {
    for (const release of open.splice(0)) await release();
    for (const device of devices) expect(device.allocatedBytes).toBe(0);
  });
  afterAll(async () => {
    for (const device of devices) await device.destroy();
  });

  /** A model that the test has made itself. */
  const keepModel = <Kept extends Model>(model: Kept): Kept => {
    open.push(() => releaseModel(model));
    return model;
  };
  return {
    keepModel,

    /** With the tiny config and random weights. */
    async newModel(
      changes: Partial<ModelConfig> = {},
      { device = devices[0], seed = 1 }: { device?: Device; seed?: number } = {},
    ): Promise<TrainableModel> {
      return keepModel(await initializeModel(device, tinyConfig(changes), seed));
    },

    // These are released before their model.
    newEngine(model: Model, options: EngineOptions = {}): Engine {
      const engine = new Engine(model, options);
      open.unshift(() => engine.release());
      return engine;
    },

    newSequence(model: Model): Sequence {
      const sequence = new Sequence(model);
      open.unshift(() => sequence.release());
      return sequence;
    },
  };
}
