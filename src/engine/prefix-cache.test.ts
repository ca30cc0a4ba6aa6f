import { describe, expect, test } from 'vitest';
import { openModels } from '../../test/support/open-models.ts';
import { tinyConfig } from '../../test/tiny-config.ts';
import { createReferenceDevice } from '../device/reference/device.ts';
import { createWasmDevice } from '../device/wasm/device.ts';
import type { Model } from '../model/weights.ts';
import { Random } from '../random.ts';
import type { Engine } from './engine.ts';
import type { GenerationOptions } from './generation.ts';

const reference = createReferenceDevice();
const wasm = await createWasmDevice({ threads: 1 });
const { newModel, newEngine } = openModels(wasm, reference);

interface Request extends GenerationOptions {
  prompt: number[];
}

/** Of each step the same number of drafts, or steps would differ by what is measured. */
const fixed = { stopTokens: [], drafts: 3 };

/** The tokens of every step, and how many of the prompt's were found. */
async function answer(engine: Engine, { prompt, ...options }: Request) {
  const steps: number[][] = [];
  let cachedTokens = -1;
  for await (const step of engine.generate(prompt, { ...fixed, ...options })) {
    steps.push(step.tokens);
    if (step.prompt) cachedTokens = step.prompt.cachedTokens;
  }
  return { steps, tokens: steps.flat(), cachedTokens };
}

const random = new Random('prompts');
const text = (length: number) => Array.from({ length }, () => random.int(3, 22));

/**
 * Chats with a beginning in common, each of several turns, in which everyone may have said anything; each
 * request with how many tokens it should find when all are made one after another.
 */
async function chats(model: Model): Promise<{ request: Request; found: number }[]> {
  const plain = newEngine(model, { prefixTokens: 0 });
  const system = text(150);
  const requests: { request: Request; found: number }[] = [];
  const kinds: GenerationOptions[] = [
    {},
    { drafts: 0 },
    { sampling: { temperature: 0.9 }, seed: 5 },
    { drafts: 2 },
  ];
  for (const [chat, kind] of kinds.entries()) {
    let said = [...system, ...text(90)];
    for (let turn = 0; turn < 3; turn++) {
      const request = { prompt: said, maxTokens: 70 + turn, ...kind };
      // The first leaves no snapshot where the others part from it; the second does.
      const shared = chat === 0 ? 0 : chat === 1 ? 0 : 128;
      const before = requests.at(-1)?.request;
      const last = turn > 0 ? before!.prompt.length + before!.maxTokens! - 1 : 0;
      requests.push({ request, found: turn > 0 ? Math.floor(last / 64) * 64 : shared });
      said = [...said, ...(await answer(plain, request)).tokens, ...text(10)];
    }
  }
  return requests;
}

describe.each([
  'reference',
  'wasm',
] as const)('on %s, a request that begins as others did', (device) => {
  // Smaller than a page, as large, and larger.
  test.each([
    6, 64, 100,
  ])('gives the steps of one without a cache, with a window of %i', async (window) => {
    const { slidingAttention } = tinyConfig();
    const changes = { maxPositions: 1024, slidingAttention: { ...slidingAttention, window } };
    const model = await newModel(changes, { device: { reference, wasm }[device] });
    const plain = newEngine(model, { prefixTokens: 0 });
    const engine = newEngine(model);
    for (const { request, found } of await chats(model)) {
      const expected = await answer(plain, request);
      expect(expected.cachedTokens).toBe(0);
      const given = await answer(engine, request);
      expect(given.steps).toEqual(expected.steps);
      expect(given.cachedTokens).toBe(found);
    }
  });
});

test('requests that begin alike give the same beside others, whoever comes first', async () => {
  const model = await newModel({ maxPositions: 1024 });
  const plain = newEngine(model, { prefixTokens: 0 });
  const engine = newEngine(model, { sequences: 5 });
  const requests = (await chats(model)).map(({ request }) => request);
  const expected: number[][] = [];
  for (const request of requests) expected.push((await answer(plain, request)).tokens);
  const all = [...requests, ...requests.slice(3), ...requests];
  const given = await Promise.all(all.map((request) => answer(engine, request)));
  expect(given.map(({ tokens }) => tokens)).toEqual([
    ...expected,
    ...expected.slice(3),
    ...expected,
  ]);
  expect(given.filter(({ cachedTokens }) => cachedTokens > 0).length).toBeGreaterThan(8);
});

test('a long prompt leaves snapshots on its way for others that part from it', async () => {
  const model = await newModel({ maxPositions: 8192 });
  const engine = newEngine(model);
  const plain = newEngine(model, { prefixTokens: 0 });
  const long = text(5000);
  await answer(engine, { prompt: long, maxTokens: 2 });
  const other = { prompt: [...long.slice(0, 4500), ...text(200)], maxTokens: 30 };
  const expected = await answer(plain, other);
  const given = await answer(engine, other);
  expect(given).toEqual({ ...expected, cachedTokens: 4096 });
  // That one has left a snapshot where they part.
  expect((await answer(engine, { ...other, prompt: long.slice(0, 4600) })).cachedTokens).toBe(4480);
});

test('a snapshot may begin in the chunk before', async () => {
  const slidingAttention = { ...tinyConfig().slidingAttention, window: 400 };
  const model = await newModel({ maxPositions: 1024, slidingAttention });
  const engine = newEngine(model);
  // Chunks end at 512, and the last page at 576.
  const prompt = text(580);
  await answer(engine, { prompt, maxTokens: 1 });
  const longer = {
    prompt: [...prompt.slice(0, 577), ...text(20)],
    maxTokens: 60,
    sampling: { temperature: 1 },
  };
  const expected = await answer(newEngine(model, { prefixTokens: 0 }), longer);
  expect(await answer(engine, longer)).toEqual({ ...expected, cachedTokens: 576 });
});

test('salts keep caches apart, and what is not to be found is not', async () => {
  const engine = newEngine(await newModel());
  const prompt = text(200);
  const found = async (options: GenerationOptions) =>
    (await answer(engine, { prompt, maxTokens: 3, ...options })).cachedTokens;
  expect(await found({})).toBe(0);
  expect(await found({ cacheSalt: 'mine' })).toBe(0);
  expect(await found({ cacheSalt: 'mine' })).toBe(192);
  expect(await found({ cacheSalt: 'yours' })).toBe(0);
  expect(await found({})).toBe(192);
  // From the next snapshot before, and there is none.
  expect(await found({ mostCachedTokens: 130 })).toBe(0);
  expect(await found({ mostCachedTokens: 0 })).toBe(0);
  // The one before has left a snapshot there.
  expect(await found({ mostCachedTokens: 130 })).toBe(128);
});

describe('memory', () => {
  test('under pressure goes to requests, of what is kept the oldest first', async () => {
    const model = await newModel();
    const plain = newEngine(model, { prefixTokens: 0 });
    const engine = newEngine(model, { cacheTokens: 9 * 64, sequences: 4, snapshots: 3 });
    const free = engine.memory.freePages;
    const [first, second] = [text(200), text(200)];
    const found = async (prompt: number[]) =>
      (await answer(engine, { prompt, maxTokens: 1 })).cachedTokens;
    expect([await found(first), await found(second), await found(first)]).toEqual([0, 0, 192]);
    expect(engine.memory.keptPages).toBe(6);
    // Needs three pages more than are free.
    await answer(engine, { prompt: text(300), maxTokens: 60 });
    expect([await found(first), await found(second)]).toEqual([192, 0]);
    // Many at once, for whom there is not enough.
    const shared = text(70);
    const requests = Array.from({ length: 12 }, (_, i) => ({
      prompt: [...(i % 2 === 0 ? shared : []), ...text(40 + 5 * i)],
      maxTokens: 150,
    }));
    const expected: number[][] = [];
    for (const request of requests) expected.push((await answer(plain, request)).tokens);
    const given = await Promise.all(requests.map((request) => answer(engine, request)));
    expect(given.map(({ tokens }) => tokens)).toEqual(expected);
    expect(engine.load.preemptions).toBeGreaterThan(0);
    expect(engine.memory.freePages).toBe(free);
  });

  test('stays the same over many requests', async () => {
    const model = await newModel();
    const prefixTokens = 20 * 64;
    const engine = newEngine(model, { sequences: 3, prefixTokens, snapshots: 5 });
    const free = engine.memory.freePages;
    const held: number[] = [];
    for (let round = 0; round < 40; round++) {
      const requests = [1, 2, 3].map(() => ({
        prompt: text(100 + 10 * (round % 5)),
        maxTokens: 40,
        cacheSalt: `${round % 7}`,
      }));
      await Promise.all(requests.map((request) => answer(engine, request)));
      held.push(wasm.allocatedBytes);
      expect(engine.memory.keptPages).toBeLessThanOrEqual(20);
      expect(engine.memory.freePages).toBe(free);
    }
    expect(engine.memory.keptPages).toBe(20);
    expect(new Set(held.slice(15)).size).toBe(1);
  });

  test('of requests that leave in the middle comes back', async () => {
    const engine = newEngine(await newModel());
    const free = engine.memory.freePages;
    for (let i = 0; i < 10; i++) {
      for await (const _ of engine.generate(text(130), { stopTokens: [] })) if (i % 2 === 0) break;
    }
    while (engine.load.running > 0) await new Promise((resolve) => setTimeout(resolve, 1));
    expect(engine.memory.freePages).toBe(free);
  });
});
