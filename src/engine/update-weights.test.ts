import { beforeEach, describe, expect, test } from 'vitest';
import { openModels } from '../../test/support/open-models.ts';
import { createReferenceDevice } from '../device/reference/device.ts';
import { fillModel, type TrainableModel } from '../model/weights.ts';
import { readFloats } from '../tensor/scope.ts';
import type { Engine } from './engine.ts';
import type { GenerationOptions } from './generation.ts';

const device = createReferenceDevice();
const { newModel, newEngine, newSequence } = openModels(device);
const changes = { initializerRange: 0.7 };
let model: TrainableModel;
let other: TrainableModel;
let engine: Engine;
beforeEach(async () => {
  model = await newModel(changes);
  other = await newModel(changes, { seed: 2 });
  engine = newEngine(model);
});

const prompt = Array.from({ length: 150 }, (_, i) => 3 + ((i * i) % 19));
const greedy = { maxTokens: 40, stopTokens: [] };

/** Makes the weights of the engine's model those of the other. */
const change = () =>
  fillModel(model, ({ name }) => readFloats(device, other.parameters.get(name)!));

async function alone(from: readonly number[], options: GenerationOptions) {
  const tokens: number[] = [];
  for await (const step of newSequence(model).generate(from, options)) tokens.push(...step.tokens);
  return tokens;
}

describe('new weights', () => {
  test.each([
    0, 3,
  ])('draw all tokens after them, with %d drafts, in every request', async (drafts) => {
    const options = { ...greedy, drafts };
    const untouched = await alone(prompt, options);
    const requests = [prompt, prompt.slice(0, 70), prompt.slice(3, 9)].map(async (own, i) => {
      const versions: number[] = [];
      const tokens: number[] = [];
      let experts = 0;
      const asked = { ...options, routedExperts: { from: 0 } };
      for await (const step of engine.generate(own, asked)) {
        tokens.push(...step.tokens);
        experts += step.experts!.length;
        if (step.prompt) expect(step.prompt.experts).toHaveLength((own.length - 1) * 4);
        versions.push(...step.tokens.map(() => step.weightVersion));
        if (i === 0 && versions.length >= 12 && engine.weightVersion === 0) {
          await engine.updateWeights(7, change);
        }
      }
      return { own, tokens, versions, experts };
    });
    for (const { own, tokens, versions, experts } of await Promise.all(requests)) {
      expect(experts).toBe(tokens.length);
      const first = versions.indexOf(7);
      expect(first).toBeGreaterThan(0);
      expect(new Set(versions.slice(0, first))).toEqual(new Set([0]));
      expect(new Set(versions.slice(first))).toEqual(new Set([7]));
      // As if the prompt had been all that there was, and the weights had always been these.
      const rest = { ...options, maxTokens: options.maxTokens - first };
      expect(tokens.slice(first)).toEqual(await alone([...own, ...tokens.slice(0, first)], rest));
      if (own === prompt) expect(tokens).not.toEqual(untouched);
    }
  });

  test('find nothing in caches that older ones left', async () => {
    const cached = async () => {
      for await (const { prompt: reading } of engine.generate(prompt, {
        ...greedy,
        maxTokens: 1,
      })) {
        return reading!.cachedTokens;
      }
    };
    expect([await cached(), await cached()]).toEqual([0, 128]);
    await engine.updateWeights(1, change);
    expect([await cached(), await cached()]).toEqual([0, 128]);
  });

  test('that fail are told to who brought them, and requests go on', async () => {
    const steps = engine.generate(prompt, greedy);
    await steps.next();
    const failing = engine.updateWeights(1, () => {
      throw new Error('the gradient is not finite');
    });
    await expect(failing).rejects.toThrow('the gradient is not finite');
    const rest: number[] = [];
    for await (const step of steps) {
      expect(step.weightVersion).toBe(0);
      rest.push(...step.tokens);
    }
    const whole = await alone(prompt, greedy);
    expect(rest.length).toBeGreaterThan(30);
    expect(rest).toEqual(whole.slice(-rest.length));
  });
});
