import { expect, test } from 'vitest';
import { openModels } from '../../test/support/open-models.ts';
import { createReferenceDevice } from '../device/reference/device.ts';
import type { Engine } from './engine.ts';
import type { GenerationOptions, TokenGenerator } from './generation.ts';
import type { Sequence } from './sequence.ts';

const { newModel, newEngine, newSequence } = openModels(createReferenceDevice());

async function setUp(): Promise<{ engine: Engine; alone: () => Sequence }> {
  const model = await newModel();
  return { engine: newEngine(model, { sequences: 4 }), alone: () => newSequence(model) };
}

async function answer(generator: TokenGenerator, prompt: number[], options: GenerationOptions) {
  const tokens: number[] = [];
  const drafted = new Set<number>();
  for await (const step of generator.generate(prompt, { stopTokens: [], ...options })) {
    tokens.push(...step.tokens);
    // The last ones have room for fewer.
    if (tokens.length < options.maxTokens! - 8) drafted.add(step.drafted);
  }
  return { tokens, drafted: [...drafted] };
}

const prompts = [
  [3, 4, 5],
  [9, 8],
  [7, 7, 7, 7, 7, 7, 7, 7, 7],
];

test('greedy answers are the same whatever numbers of drafts an engine tries', async () => {
  const { engine, alone } = await setUp();
  const options = { maxTokens: 250 };
  const given = await Promise.all(prompts.map((prompt) => answer(engine, prompt, options)));
  for (const [i, prompt] of prompts.entries()) {
    expect(given[i]!.tokens).toEqual((await answer(alone(), prompt, options)).tokens);
    expect(given[i]!.drafted.length).toBeGreaterThan(1);
  }
});

test('what is drawn with a seed has the same number of drafts in every step', async () => {
  const { engine, alone } = await setUp();
  const options = { maxTokens: 120, sampling: { temperature: 1 }, seed: 4 };
  const greedy = answer(engine, prompts[2]!, { maxTokens: 200 });
  const given = await Promise.all(prompts.map((prompt) => answer(engine, prompt, options)));
  for (const [i, prompt] of prompts.entries()) {
    const { tokens, drafted } = await answer(alone(), prompt, options);
    expect(given[i]).toEqual({ tokens, drafted: [3] });
    expect(drafted).toEqual([3]);
  }
  expect((await greedy).tokens).toHaveLength(200);
});

test('numbers that a request gives are kept to, unless it lets the engine choose', async () => {
  const { engine } = await setUp();
  const drafted = async (options: GenerationOptions) =>
    (await answer(engine, [3, 4, 5], { maxTokens: 150, ...options })).drafted;
  expect(await drafted({ drafts: 2 })).toEqual([2]);
  expect(await drafted({ adaptiveDrafts: false })).toEqual([3]);
  const sampling = { temperature: 1 };
  expect((await drafted({ sampling, adaptiveDrafts: true })).length).toBeGreaterThan(1);
});
