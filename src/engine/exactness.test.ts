/**
 * On wasm a request's numbers are the same bits alone, in a batch and after a cached prefix, whatever
 * weights and caches are held in.
 */
import { afterAll, expect, test } from 'vitest';
import { quantizableConfig, quantizedModel } from '../../test/support/quantized-model.ts';
import { createWasmDevice } from '../device/wasm/device.ts';
import { initializeModel } from '../model/initialize.ts';
import { releaseModel } from '../model/weights.ts';
import { Random } from '../random.ts';
import { Engine } from './engine.ts';

const device = await createWasmDevice({ threads: 1 });
afterAll(async () => {
  expect(device.allocatedBytes).toBe(0);
  await device.destroy();
});

// With so many heads that share keys, the kernel's spans of rows begin at any position.
const { slidingAttention } = quantizableConfig;
const config = {
  ...quantizableConfig,
  slidingAttention: { ...slidingAttention, heads: 16, keyValueHeads: 1 },
};
const random = new Random('exactness');
// Some begin in the middle of a chunk of others; all are longer than a page, which is what is cached.
const prompts = Array.from({ length: 12 }, (_, i) =>
  Array.from({ length: 70 + 51 * i }, () => random.int(3, 22)),
);

interface Answer {
  tokens: number[];
  logprobs: number[];
  cachedTokens: number;
}

async function answer(engine: Engine, seed: number): Promise<Answer> {
  const given: Answer = { tokens: [], logprobs: [], cachedTokens: 0 };
  const options = {
    sampling: { temperature: 1.5 },
    seed,
    maxTokens: 30,
    stopTokens: [],
    logprobs: { top: 0 },
    drafts: seed % 4,
  };
  for await (const { tokens, scores, prompt } of engine.generate(prompts[seed]!, options)) {
    given.tokens.push(...tokens);
    given.logprobs.push(...scores!.map(({ logprob }) => logprob));
    given.cachedTokens += prompt?.cachedTokens ?? 0;
  }
  return given;
}

test.each([
  [32, 'f32'],
  [32, 'f16'],
  [8, 'f32'],
  [8, 'f16'],
  [8, 'i8'],
  [4, 'f16'],
] as const)('weights of %i bits, caches of %s', async (bits, cacheType) => {
  const model =
    bits === 32
      ? await initializeModel(device, config, 1)
      : await quantizedModel(device, bits, config);
  const alone: Answer[] = [];
  for (const seed of prompts.keys()) {
    const engine = new Engine(model, { cacheType, prefixTokens: 0 });
    alone.push(await answer(engine, seed));
    await engine.release();
  }
  const engine = new Engine(model, { cacheType });
  const together = await Promise.all(prompts.map((_, seed) => answer(engine, seed)));
  expect(together).toEqual(alone);
  for (const seed of prompts.keys()) {
    const { cachedTokens, ...again } = await answer(engine, seed);
    expect(cachedTokens).toBeGreaterThan(0);
    expect({ ...again, cachedTokens: 0 }).toEqual(alone[seed]);
  }
  await engine.release();
  releaseModel(model);
});
