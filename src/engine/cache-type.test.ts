import { describe, expect, test } from 'vitest';
import { openModels } from '../../test/support/open-models.ts';
import { quantizableConfig, quantizedModel } from '../../test/support/quantized-model.ts';
import { tinyConfig } from '../../test/tiny-config.ts';
import { createReferenceDevice } from '../device/reference/device.ts';
import { createWasmDevice } from '../device/wasm/device.ts';
import type { Model } from '../model/weights.ts';
import type { Device } from '../tensor/device.ts';
import type { Engine } from './engine.ts';
import { Sequence } from './sequence.ts';

const reference = createReferenceDevice();
const wasm = await createWasmDevice({ threads: 1 });
const { keepModel, newModel, newEngine, newSequence } = openModels(reference, wasm);

/** Heads of 16 and 8 numbers, which every type of cache takes. */
const heads = { headDim: 16 };
const { globalAttention, slidingAttention } = tinyConfig();
const changes = {
  maxPositions: 1024,
  globalAttention: { ...globalAttention, ...heads },
  slidingAttention: { ...slidingAttention, ...heads },
};
const modelOn = (device: Device) => newModel(changes, { device });

// Longer than a chunk, so that the end of it sees a past.
const prompt = Array.from({ length: 540 }, (_, i) => 3 + ((i * i + 5 * i) % 19));

/** The log-probabilities of a text from a token on, which nothing is to be generated after. */
async function scoresOf(
  engine: Engine,
  text: readonly number[],
  { from, mostCachedTokens = from }: { from: number; mostCachedTokens?: number },
): Promise<number[]> {
  const asked = { maxTokens: 0, mostCachedTokens, promptLogprobs: { from, top: 0 } };
  const scores: number[] = [];
  for await (const { prompt } of engine.generate(text, asked)) {
    expect(prompt!.cachedTokens > 0).toBe(mostCachedTokens > 1);
    scores.push(...prompt!.logprobs!.map((scored) => scored!.logprob));
  }
  return scores;
}

/** The log-probabilities of an answer as it is generated, and of the same text read as a prompt. */
async function bothWays(engine: Engine) {
  const options = { maxTokens: 40, stopTokens: [], seed: 1, sampling: { temperature: 1 } };
  const tokens: number[] = [];
  const stepped: number[] = [];
  for await (const step of engine.generate(prompt, { ...options, logprobs: { top: 0 } })) {
    tokens.push(...step.tokens);
    stepped.push(...step.scores!.map(({ logprob }) => logprob));
  }
  const text = [...prompt, ...tokens];
  const from = prompt.length;
  const read = await scoresOf(engine, text, { from, mostCachedTokens: 0 });
  const cached = await scoresOf(engine, text, { from });
  return { stepped, read, cached };
}

function largestDifference(a: readonly number[], b: readonly number[]): number {
  expect(a.length).toBe(b.length);
  return Math.max(...a.map((value, i) => Math.abs(value - b[i]!)));
}

describe.each([
  // Queries and probabilities become bytes too where attention is in integers, but not in prompts.
  ['reference', 'f16', 1e-5],
  ['reference', 'i8', 1e-5],
  ['wasm', 'f32', 2e-5],
  ['wasm', 'f16', 2e-5],
  ['wasm', 'i8', 0.2],
] as const)('on %s, with caches of %s', (device, cacheType, tolerance) => {
  test('what is generated has the probabilities that it has in a prompt, cached or not', async () => {
    const engine = newEngine(await modelOn({ reference, wasm }[device]), { cacheType });
    const { stepped, read, cached } = await bothWays(engine);
    expect(largestDifference(stepped, read)).toBeLessThan(tolerance);
    expect(largestDifference(cached, read)).toBeLessThan(Math.min(tolerance, 2e-5));
  });
});

test('caches of fewer bits change little, and take the memory that they say', async () => {
  const model = await modelOn(wasm);
  const types = ['f32', 'f16', 'i8'] as const;
  const results = [];
  for (const cacheType of types) {
    const engine = newEngine(model, { cacheType });
    expect(engine.memory.cacheType).toBe(cacheType);
    const read = await scoresOf(engine, prompt, { from: 1 });
    results.push({ read, ...engine.memory });
  }
  const [f32, f16, i8] = results as [(typeof results)[0], (typeof results)[0], (typeof results)[0]];
  expect(largestDifference(f32.read, f16.read)).toBeGreaterThan(0);
  expect(largestDifference(f32.read, f16.read)).toBeLessThan(0.01);
  expect(largestDifference(f32.read, i8.read)).toBeLessThan(0.2);
  expect(f32.global).toBe(2 * f16.global);
  // A head of 16 numbers and one of 8, with four bytes each.
  expect(i8.global / f32.global).toBeCloseTo((20 + 12) / (4 * 24), 10);
});

test('by default they are f16 with quantised weights, and f32 with others', async () => {
  const typeOf = (model: Model) => newSequence(model).cacheType;
  expect(typeOf(await modelOn(wasm))).toBe('f32');
  const quantized = keepModel(await quantizedModel(wasm, 8));
  expect(typeOf(quantized)).toBe('f16');
  const { globalAttention } = quantizableConfig;
  const config = { ...quantizableConfig, globalAttention: { ...globalAttention, headDim: 12 } };
  const odd = keepModel(await quantizedModel(wasm, 8, config));
  expect(typeOf(odd)).toBe('f32');
  expect(() => new Sequence(odd, { cacheType: 'i8' })).toThrow(
    'caches of i8 need heads in multiples of 8, rotated in multiples of 4, and the model has 12: ask for f32',
  );
});

test('a type that the device has not is refused in one line', async () => {
  const model = await modelOn(wasm);
  const device = { ...model.device, name: 'other', cacheTypes: ['f32'] } as Device;
  expect(() => new Sequence({ ...model, device }, { cacheType: 'f16' })).toThrow(
    'the other device has no caches of f16: ask for f32',
  );
});
