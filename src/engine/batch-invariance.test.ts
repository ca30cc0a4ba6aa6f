/** What a request is answered does not depend on its neighbours: on wasm not in a single bit. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { tinyConfig } from '../../test/tiny-config.ts';
import { createWasmDevice } from '../device/wasm/device.ts';
import { initializeModel } from '../model/initialize.ts';
import { releaseModel } from '../model/weights.ts';
import { Random } from '../random.ts';
import { cacheTypes } from '../tensor/cache-type.ts';
import type { Device } from '../tensor/device.ts';
import { Engine } from './engine.ts';

let device: Device;
beforeAll(async () => {
  device = await createWasmDevice({ threads: 2 });
});
afterAll(() => device.destroy());

/** Tokens and their log-probabilities, those of the prompt first. */
async function told(engine: Engine, prompt: readonly number[], seed: number): Promise<number[]> {
  const numbers: number[] = [];
  for await (const step of engine.generate(prompt, {
    seed,
    sampling: { temperature: 2 },
    maxTokens: 24,
    stopTokens: [],
    promptLogprobs: { from: 1, top: 0 },
    logprobs: { top: 0 },
  })) {
    for (const score of step.prompt?.logprobs ?? []) numbers.push(score!.logprob);
    numbers.push(...step.tokens, ...step.scores!.map(({ logprob }) => logprob));
  }
  return numbers;
}

test.each(
  cacheTypes,
)('bits are the same alone and among many, with caches of %s', async (cacheType) => {
  const heads = { headDim: 16, valueHeadDim: 8 };
  const config = tinyConfig({
    ...{ hiddenSize: 64, vocabSize: 100, intermediateSize: 96 },
    globalAttention: { ...tinyConfig().globalAttention, ...heads },
    slidingAttention: { ...tinyConfig().slidingAttention, ...heads },
  });
  const model = await initializeModel(device, config, 1);
  const random = new Random(5);
  const prompts = Array.from({ length: 24 }, () =>
    Array.from({ length: random.int(2, 90) }, () => random.int(3, 99)),
  );
  const options = { cacheType, sequences: 24, prefixTokens: 0 };
  const alone = new Engine(model, options);
  const expected: number[][] = [];
  for (const [seed, prompt] of prompts.entries()) expected.push(await told(alone, prompt, seed));
  await alone.release();
  const together = new Engine(model, options);
  const given = await Promise.all(prompts.map((prompt, seed) => told(together, prompt, seed)));
  await together.release();
  expect(given).toEqual(expected);
  releaseModel(model);
});
