import { afterAll, expect, test } from 'vitest';
import { tinyConfig } from '../../../test/tiny-config.ts';
import { byteText } from '../../../test/train/byte-text.ts';
import { createWasmDevice } from '../../device/wasm/device.ts';
import { initializeModel } from '../../model/initialize.ts';
import { fillModel, releaseModel } from '../../model/weights.ts';
import { readFloats } from '../../tensor/scope.ts';
import { parsePolicyConfig } from './config.ts';
import { Sampler } from './sampler.ts';

const device = await createWasmDevice({ threads: 1 });
afterAll(() => device.destroy());

const text = byteText();
const shape = tinyConfig({
  ...{ hiddenSize: 128, intermediateSize: 128, initializerRange: 0.1 },
  vocabSize: text.tokenizer.vocabSize,
});
const config = (rolloutWeights: string) =>
  parsePolicyConfig(
    {
      ...{ stage: 'teacher', output: 'out', model: { checkpoint: 'a' }, rolloutWeights },
      ...{ sources: [{ domain: 'code', maxTokens: 9 }], schedule: { groups: 1, groupSize: 2 } },
      ...{ steps: 1, maxLength: 64, microBatchTokens: 64, learningRate: { peak: 1 } },
    },
    '/run.json',
  );

test.each([
  'shared',
  '8-bit',
  '4-bit',
])('%s weights are the trainer’s after each step', async (kind) => {
  const model = await initializeModel(device, shape, 1);
  const next = await initializeModel(device, shape, 2);
  const sampler = await Sampler.open(model, text, config(kind), 5);
  expect(sampler.engine.weightVersion).toBe(5);
  const before = await answers(sampler);
  expect(before[0]).toBe(5);
  const taken = await sampler.during(6, async () => {
    await fillModel(model, ({ name }) => readFloats(device, next.parameters.get(name)!));
    return 'taken';
  });
  expect(taken).toBe('taken');
  const after = await answers(sampler);
  expect(after[0]).toBe(6);
  // As an engine has it that was opened with these weights.
  const fresh = await Sampler.open(next, text, config(kind), 6);
  expect(after).toEqual(await answers(fresh));
  expect(after.slice(1)).not.toEqual(before.slice(1));
  const failing = sampler.during(7, () => Promise.reject(new Error('diverged')));
  await expect(failing).rejects.toThrow('diverged');
  expect(sampler.engine.weightVersion).toBe(6);
  await sampler.release();
  await fresh.release();
  releaseModel(model);
  releaseModel(next);
  expect(device.allocatedBytes).toBe(0);
});

/** Versions and log-probabilities of a greedy answer. */
async function answers({ engine }: Sampler): Promise<number[]> {
  const drawn: number[] = [];
  const asked = { maxTokens: 12, stopTokens: [], drafts: 3, logprobs: { top: 0 } };
  for await (const { scores, weightVersion } of engine.generate([40, 50, 60], asked)) {
    drawn.push(weightVersion, ...scores!.map(({ logprob }) => logprob));
  }
  return drawn;
}
