import { describe, expect, test } from 'vitest';
import { openModels } from '../../test/support/open-models.ts';
import { createReferenceDevice } from '../device/reference/device.ts';
import { packDocuments } from '../model/batch.ts';
import { trunk } from '../model/trunk.ts';
import type { Model } from '../model/weights.ts';
import { linear } from '../tensor/ops/index.ts';
import { readFloats, Scope } from '../tensor/scope.ts';
import type { GenerationOptions } from './generation.ts';
import type { SamplingOptions } from './sampling.ts';
import type { Sequence } from './sequence.ts';

const device = createReferenceDevice();
const everything: SamplingOptions = { temperature: 1 };
const { newModel, newSequence } = openModels(device);

async function tokensOf(
  sequence: Sequence,
  prompt: number[],
  options: GenerationOptions = {},
): Promise<number[]> {
  const tokens: number[] = [];
  for await (const step of sequence.generate(prompt, { stopTokens: [], ...options })) {
    tokens.push(...step.tokens);
  }
  return tokens;
}

/** Logits after `tokens`, all computed at once without a cache. */
async function logitsAfter(model: Model, tokens: number[]): Promise<Float32Array> {
  const scope = new Scope(device);
  const { hidden } = trunk(scope, model, packDocuments(scope, [tokens]));
  const last = hidden.slice(tokens.length - 1, tokens.length);
  const logits = await readFloats(device, linear(scope, last, model.head));
  scope.close();
  return logits;
}

function softmax(logits: Float32Array): number[] {
  const weights = Array.from(logits, (logit) => Math.exp(logit));
  const total = weights.reduce((a, b) => a + b);
  return weights.map((weight) => weight / total);
}

const prompt = Array.from({ length: 21 }, (_, i) => (i * 7) % 23);

describe('greedy generation', () => {
  test.each([
    0, 1, 2, 3,
  ])('with %i drafts gives the tokens of full forward passes', async (drafts) => {
    const model = await newModel();
    const expected = [...prompt];
    for (let i = 0; i < 30; i++) {
      const logits = await logitsAfter(model, expected);
      expected.push(logits.indexOf(Math.max(...logits)));
    }
    const tokens = await tokensOf(newSequence(model), prompt, { maxTokens: 30, drafts });
    expect(tokens).toEqual(expected.slice(prompt.length));
  });

  test('a prompt of several chunks is the same as one of a single token after another', async () => {
    const model = await newModel({ maxPositions: 2048 });
    const long = Array.from({ length: 1100 }, (_, i) => (i * i) % 23);
    const whole = await tokensOf(newSequence(model), long, { maxTokens: 5 });
    const stepwise = newSequence(model);
    await tokensOf(stepwise, long.slice(0, 700), { maxTokens: 1 });
    expect(await tokensOf(stepwise, long, { maxTokens: 5 })).toEqual(whole);
  });

  test('a longer prompt continues, another one starts anew', async () => {
    const model = await newModel();
    const sequence = newSequence(model);
    const first = await tokensOf(sequence, prompt, { maxTokens: 9 });
    const longer = [...prompt, ...first, 5, 6, 7];
    const fresh = await tokensOf(newSequence(model), longer, { maxTokens: 9 });
    expect(await tokensOf(sequence, longer, { maxTokens: 9 })).toEqual(fresh);
    const other = [9, ...prompt.slice(1)];
    const freshOther = await tokensOf(newSequence(model), other, { maxTokens: 9 });
    expect(await tokensOf(sequence, other, { maxTokens: 9 })).toEqual(freshOther);
  });

  test('stops at a stop token, yields it, and can be continued', async () => {
    const model = await newModel();
    const all = await tokensOf(newSequence(model), prompt, { maxTokens: 30 });
    const stop = all[7]!;
    const sequence = newSequence(model);
    const stopped = await tokensOf(sequence, prompt, { stopTokens: [stop] });
    expect(stopped).toEqual(all.slice(0, all.indexOf(stop) + 1));
    expect([...sequence.tokens]).toEqual([...prompt, ...stopped]);
  });

  test('never goes beyond the context', async () => {
    const model = await newModel({ maxPositions: 40 });
    expect(await tokensOf(newSequence(model), prompt)).toHaveLength(40 - prompt.length);
    await expect(tokensOf(newSequence(model), new Array(40).fill(1))).rejects.toThrow(
      "the prompt has 40 tokens, but the model's context is 40",
    );
  });
});

test('a signal ends a generation although the device computes at once', async () => {
  const sequence = newSequence(await newModel());
  const controller = new AbortController();
  setTimeout(() => controller.abort(new Error('enough')), 5);
  const { signal } = controller;
  await expect(tokensOf(sequence, prompt, { signal })).rejects.toThrow('enough');
  // What is there can be gone on with.
  const present = [...sequence.tokens];
  expect(present.length).toBeLessThan(400);
  const fresh = await tokensOf(newSequence(await newModel()), present, { maxTokens: 9 });
  expect(await tokensOf(sequence, present, { maxTokens: 9 })).toEqual(fresh);
});

test('a prompt may have more tokens than a call can have arguments', async () => {
  const sequence = newSequence(await newModel({ maxPositions: 200_000 }));
  const controller = new AbortController();
  setTimeout(() => controller.abort(new Error('enough')), 5);
  const reading = tokensOf(sequence, new Array(150_000).fill(5), { signal: controller.signal });
  await expect(reading).rejects.toThrow('enough');
  expect(sequence.tokens).toHaveLength(150_000);
});

describe('sampling at temperature 1', () => {
  test('with drafts has the distribution of sampling without', async () => {
    // Four tokens, so that the 64 continuations of three tokens can be counted.
    const model = await newModel({ vocabSize: 4, initializerRange: 0.4 }, { seed: 5 });
    const start = [1, 2, 3, 0, 1, 1, 2];
    const expected = new Map<string, number>();
    const expand = async (tokens: number[], probability: number): Promise<void> => {
      if (tokens.length === 3) {
        expected.set(tokens.join(), probability);
        return;
      }
      const p = softmax(await logitsAfter(model, [...start, ...tokens]));
      for (let token = 0; token < 4; token++)
        await expand([...tokens, token], probability * p[token]!);
    };
    await expand([], 1);

    const samples = 3000;
    const counts = new Map<string, number>();
    const sequence = newSequence(model);
    let accepted = 0;
    for (let seed = 0; seed < samples; seed++) {
      sequence.clear();
      const tokens: number[] = [];
      for await (const step of sequence.generate(start, {
        sampling: everything,
        seed,
        maxTokens: 6,
        stopTokens: [],
      })) {
        tokens.push(...step.tokens);
        accepted += step.tokens.length - 1;
      }
      const key = tokens.slice(0, 3).join();
      counts.set(key, (counts.get(key) ?? 0) + 1);
    }
    let statistic = 0;
    for (const [key, probability] of expected) {
      statistic += ((counts.get(key) ?? 0) - samples * probability) ** 2 / (samples * probability);
    }
    // Chi-square with 63 degrees of freedom exceeds 104 once in a thousand.
    expect(statistic).toBeLessThan(104);
    expect(accepted).toBeGreaterThan(samples);
  });

  test('the same seed gives the same tokens', async () => {
    const model = await newModel();
    const sample = (seed: number) =>
      tokensOf(newSequence(model), prompt, { sampling: everything, seed, maxTokens: 20 });
    expect(await sample(3)).toEqual(await sample(3));
    expect(await sample(3)).not.toEqual(await sample(4));
  });
});

test('sliding layers hold a window, global layers grow', async () => {
  const model = await newModel();
  const sequence = newSequence(model);
  const before = sequence.cacheBytes;
  await tokensOf(sequence, prompt, { maxTokens: 300 });
  expect(sequence.cacheBytes.sliding).toBe(before.sliding);
  expect(sequence.cacheBytes.global).toBe(2 * before.global);
});
