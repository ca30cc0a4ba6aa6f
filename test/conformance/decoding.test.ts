import { afterAll, describe, expect, test } from 'vitest';
import { createReferenceDevice } from '../../src/device/reference/device.ts';
import { createWebgpuDevice } from '../../src/device/webgpu/device.ts';
import { Engine } from '../../src/engine/engine.ts';
import { Sequence } from '../../src/engine/sequence.ts';
import { initializeModel } from '../../src/model/initialize.ts';
import { type Model, releaseModel } from '../../src/model/weights.ts';
import type { Device } from '../../src/tensor/device.ts';
import { adapterToTest } from '../support/adapter.ts';
import { quantizedModel } from '../support/quantized-model.ts';
import { tinyConfig } from '../tiny-config.ts';
import { manyRows } from './many-row-cases.ts';

const found = await adapterToTest();

/** Tokens after some prompts, together and one alone. Sums differ by rounding, which draws can bear. */
async function answers(
  device: Device,
  newModel: (device: Device) => Promise<Model>,
  drafts: number,
): Promise<number[][]> {
  const model = await newModel(device);
  const engine = new Engine(model);
  const sequence = new Sequence(model);
  const given = await Promise.all(
    [1, 60, 21].map(async (length, seed) => {
      const prompt = Array.from({ length }, (_, i) => 3 + ((7 * i + length) % 19));
      const sampling = { temperature: seed === 1 ? 0 : 0.8, topK: 20 };
      const options = { sampling, seed, drafts, maxTokens: 24 + 4 * seed, stopTokens: [7] };
      const tokens: number[] = [];
      const generator = seed === 2 ? sequence : engine;
      for await (const step of generator.generate(prompt, options)) tokens.push(...step.tokens);
      return tokens;
    }),
  );
  sequence.release();
  await engine.release();
  releaseModel(model);
  expect(device.allocatedBytes).toBe(0);
  return given;
}

describe.skipIf(typeof found === 'string')('decoding on webgpu', async () => {
  const device = typeof found === 'string' ? null : await createWebgpuDevice();
  afterAll(() => device?.destroy());

  const { experts } = tinyConfig();
  test.each([
    { name: 'without drafts', drafts: 0, changes: {} },
    { name: 'with drafts', drafts: 3, changes: {} },
    {
      name: 'with shared experts, and states from before the norm',
      drafts: 2,
      changes: { experts: { ...experts, shared: 1 }, mtpHidden: 'pre-norm' as const },
    },
  ])('gives the tokens of the reference $name', async ({ drafts, changes }) => {
    const config = tinyConfig(changes);
    const newModel = (device: Device) => initializeModel(device, config, 1);
    const expected = await answers(createReferenceDevice(), newModel, drafts);
    expect(await answers(device!, newModel, drafts)).toEqual(expected);
  });

  test('gives the same to so many sequences that their products go over tiles', async () => {
    const config = tinyConfig({ mtpHeads: 3 });
    const sequences = manyRows / (1 + config.mtpHeads);
    const tokensOf = async (device: Device) => {
      const model = await initializeModel(device, config, 1);
      const engine = new Engine(model, { sequences });
      const given = await Promise.all(
        Array.from({ length: sequences }, async (_, seed) => {
          const options = { sampling: { temperature: 1 }, seed, maxTokens: 4, stopTokens: [] };
          const tokens: number[] = [];
          for await (const step of engine.generate([3 + (seed % 11), 5], options)) {
            tokens.push(...step.tokens);
          }
          return tokens;
        }),
      );
      await engine.release();
      releaseModel(model);
      return given;
    };
    expect(await tokensOf(device!)).toEqual(await tokensOf(createReferenceDevice()));
  });

  test.each([
    { bits: 8, drafts: 2 },
    { bits: 4, drafts: 0 },
  ] as const)('gives the tokens of the reference with weights of $bits bits', async (asked) => {
    const { bits, drafts } = asked;
    const newModel = (device: Device) => quantizedModel(device, bits);
    const expected = await answers(createReferenceDevice(), newModel, drafts);
    expect(await answers(device!, newModel, drafts)).toEqual(expected);
  });
});
