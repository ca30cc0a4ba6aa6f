/** Long prompts, of generated haystacks, on a small model with random weights. */
import { expect, test } from 'vitest';
import { createReferenceDevice } from '../src/device/reference/device.ts';
import { createWasmDevice } from '../src/device/wasm/device.ts';
import type { Engine } from '../src/engine/engine.ts';
import { packDocuments } from '../src/model/batch.ts';
import type { ModelConfig } from '../src/model/config.ts';
import { trunk } from '../src/model/trunk.ts';
import { Random } from '../src/random.ts';
import { shippedModel } from '../src/shipped-model.ts';
import { needles } from '../src/tasks/long-context/needles.ts';
import { linear } from '../src/tensor/ops/index.ts';
import { readFloats, Scope } from '../src/tensor/scope.ts';
import { loadTextFiles } from '../src/text/tokenizer-files.ts';
import { openModels } from './support/open-models.ts';
import { tinyConfig } from './tiny-config.ts';

const { tokenizer } = await loadTextFiles(shippedModel);
const wasm = await createWasmDevice({ threads: 2 });
const reference = createReferenceDevice();
const { newModel, newEngine } = openModels(wasm, reference);

const { globalAttention } = tinyConfig();
const changes: Partial<ModelConfig> = {
  vocabSize: tokenizer.vocabSize,
  maxPositions: 40_000,
  layers: [
    { attention: 'sliding', feedForward: 'dense' },
    { attention: 'global', feedForward: 'experts' },
    { attention: 'sliding', feedForward: 'experts' },
  ],
  globalAttention: { ...globalAttention, heads: 2 },
};

const alone = { sequences: 1 };

/** A text of about so many tokens in which numbers are buried, and a question for them. */
function haystack(tokens: number, seed = 1): number[] {
  const { messages } = needles.generate(new Random(seed), {
    language: 'en',
    level: 'hard',
    thinking: false,
    tokens,
    countTokens: (text) => tokenizer.encode(text).length,
  });
  return tokenizer.encode(messages[0]!.content as string);
}

async function answer(engine: Engine, prompt: number[], maxTokens = 8) {
  const tokens: number[] = [];
  let found = 0;
  for await (const step of engine.generate(prompt, { maxTokens, stopTokens: [] })) {
    tokens.push(...step.tokens);
    found = step.prompt?.cachedTokens ?? found;
  }
  return { tokens, found };
}

test('a haystack of 3,000 tokens gives the tokens of one pass over the whole of it', async () => {
  const prompt = haystack(3000);
  const { tokens } = await answer(newEngine(await newModel(changes), alone), prompt, 12);
  const model = await newModel(changes, { device: reference });
  const scope = new Scope(reference);
  const all = [...prompt, ...tokens.slice(0, -1)];
  const { hidden } = trunk(scope, model, packDocuments(scope, [all]));
  const answers = hidden.slice(prompt.length - 1, all.length);
  const logits = await readFloats(reference, linear(scope, answers, model.head));
  const { vocabSize } = model.config;
  const expected = tokens.map((_, i) => {
    const row = logits.subarray(i * vocabSize, (i + 1) * vocabSize);
    return row.indexOf(Math.max(...row));
  });
  expect(tokens).toEqual(expected);
  scope.close();
});

test('of 32K tokens sliding layers hold no more than of a hundred', async () => {
  const model = await newModel(changes);
  const engine = newEngine(model, { ...alone, prefixTokens: 0 });
  await answer(engine, haystack(100));
  const { sliding, global } = engine.memory;
  const long = haystack(32_768);
  expect(long.length).toBeGreaterThan(32_000);
  const { tokens } = await answer(engine, long);
  expect(engine.memory.sliding).toBe(sliding);
  expect(engine.memory.global).toBeGreaterThan(50 * global);

  // With a cache, another question after the same text computes its end only.
  const kept = newEngine(model, { ...alone, snapshots: 8 });
  expect(await answer(kept, long)).toEqual({ tokens, found: 0 });
  const bytes = kept.memory.sliding;
  const other = [...long.slice(0, -40), ...haystack(60, 2)];
  const plain = await answer(engine, other);
  const again = await answer(kept, other);
  expect(again.tokens).toEqual(plain.tokens);
  expect(again.found).toBeGreaterThan(long.length - 2048 - 40 - 64);
  expect(kept.memory.sliding).toBe(bytes);
});
