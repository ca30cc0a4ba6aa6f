import { afterAll, beforeAll, expect, test } from 'vitest';
import { tinyConfig } from '../../test/tiny-config.ts';
import { createReferenceDevice } from '../device/reference/device.ts';
import { initializeModel } from '../model/initialize.ts';
import { type Model, releaseModel } from '../model/weights.ts';
import { Engine } from './engine.ts';
import type { GenerationOptions } from './generation.ts';
import type { SamplingOptions } from './sampling.ts';

const device = createReferenceDevice();
let model: Model;
let engine: Engine;

beforeAll(async () => {
  model = await initializeModel(device, tinyConfig(), 1);
  engine = new Engine(model);
});

afterAll(async () => {
  await engine.release();
  releaseModel(model);
  expect(device.allocatedBytes).toBe(0);
});

const prompt = [3, 9, 4, 17];

async function answer(sampling: Partial<SamplingOptions>, options: GenerationOptions = {}) {
  const tokens: number[] = [];
  const asked = { sampling: { temperature: 0, ...sampling }, maxTokens: 18, stopTokens: [] };
  for await (const step of engine.generate(prompt, { ...asked, ...options })) {
    tokens.push(...step.tokens);
  }
  return tokens;
}

test('a large presence penalty repeats nothing, drafts of the same step included', async () => {
  const tokens = await answer({ presencePenalty: 1000 });
  expect(new Set(tokens).size).toBe(18);
  expect(new Set(await answer({})).size).toBeLessThan(18);
});

test('a large frequency penalty takes turns', async () => {
  const tokens = await answer({ frequencyPenalty: 1000 }, { maxTokens: 24 * 3 });
  for (const token of tokens) expect(tokens.filter((other) => other === token)).toHaveLength(3);
});

test('a repetition penalty counts the prompt too', async () => {
  // All but two tokens are in the prompt, of which the less likely one is left.
  const whole = Array.from({ length: 24 }, (_, i) => i).filter((id) => id !== 7 && id !== 11);
  const first = async (repetitionPenalty: number) => {
    const sampling = {
      temperature: 0,
      repetitionPenalty,
      logitBias: new Map([
        [7, -20],
        [11, 1.5],
      ]),
    };
    const { value } = await engine.generate(whole, { sampling, maxTokens: 1 }).next();
    return value!.tokens[0];
  };
  expect(await first(1)).not.toBe(11);
  expect(await first(1e9)).toBe(11);
});

test('a bias bans and forces tokens', async () => {
  const [usual] = await answer({});
  expect(await answer({ logitBias: new Map([[usual!, -1000]]) })).not.toContain(usual);
  expect(await answer({ logitBias: new Map([[13, 1000]]) })).toEqual(new Array(18).fill(13));
});

test('greedy answers are the same with drafts and without, alone and in a batch', async () => {
  const samplings: SamplingOptions[] = [
    { temperature: 0, presencePenalty: 0.4, frequencyPenalty: 0.2 },
    { temperature: 0, repetitionPenalty: 3 },
    { temperature: 0, logitBias: new Map([[7, 0.8]]), frequencyPenalty: -0.1 },
    { temperature: 0 },
  ];
  const options = { maxTokens: 60 };
  const drafted = await Promise.all(samplings.map((sampling) => answer(sampling, options)));
  for (const [i, sampling] of samplings.entries()) {
    expect(await answer(sampling, options)).toEqual(drafted[i]);
    expect(await answer(sampling, { ...options, drafts: 0 })).toEqual(drafted[i]);
  }
  expect(new Set(drafted.map(String)).size).toBe(4);
});
