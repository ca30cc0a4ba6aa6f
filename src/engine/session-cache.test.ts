import { expect, test } from 'vitest';
import { openModels } from '../../test/support/open-models.ts';
import { createReferenceDevice } from '../device/reference/device.ts';
import type { Engine } from './engine.ts';
import type { GenerationOptions } from './generation.ts';

const { newModel, newEngine } = openModels(createReferenceDevice());

async function answer(engine: Engine, prompt: number[], options: GenerationOptions = {}) {
  const tokens: number[] = [];
  const steps: number[][] = [];
  const routes: number[] = [];
  let found = -1;
  const fixed = { maxTokens: 30, stopTokens: [], drafts: 3, ...options };
  for await (const step of engine.generate(prompt, fixed)) {
    tokens.push(...step.tokens);
    steps.push(step.tokens);
    if (step.prompt) found = step.prompt.cachedTokens;
    for (const rows of [step.prompt?.experts ?? [], ...(step.experts ?? [])]) routes.push(...rows);
  }
  return { tokens, steps, routes, found };
}

const said = (length: number, salt = 0) =>
  Array.from({ length }, (_, i) => 3 + ((i * i + 5 * salt) % 20));

test('a turn goes on where the one before ended, with its routes', async () => {
  const model = await newModel();
  const engine = newEngine(model);
  const plain = newEngine(model, { prefixTokens: 0 });
  let prompt = said(23);
  let before = 0;
  for (let turn = 0; turn < 4; turn++) {
    const options = { routedExperts: { from: 0 }, seed: turn, sampling: { temperature: turn % 2 } };
    const expected = await answer(plain, prompt, options);
    const given = await answer(engine, prompt, { ...options, session: 'agent' });
    // All that had passed the model is there; the last token had not.
    expect(given).toEqual({ ...expected, found: before });
    expect(given.routes).toHaveLength((prompt.length + given.tokens.length - 1) * 2 * 2);
    before = prompt.length + given.tokens.length - 1;
    prompt = [...prompt, ...given.tokens, ...said(5 + 20 * turn, turn)];
  }
});

test('it is shared with nobody, nor is anything of others found', async () => {
  const engine = newEngine(await newModel());
  const prompt = said(200);
  const found = async (options: GenerationOptions) => (await answer(engine, prompt, options)).found;
  await found({});
  expect(await found({ session: 'a' })).toBe(0);
  expect(await found({ session: 'b' })).toBe(0);
  expect(await found({})).toBe(192);
});

test('another history begins anew, and so do routes that were not kept', async () => {
  const model = await newModel();
  const engine = newEngine(model);
  const plain = newEngine(model, { prefixTokens: 0 });
  const first = await answer(engine, said(40), { session: 'a' });
  const other = [...said(40), ...first.tokens.slice(0, 10), 4, 4, 4];
  const expected = await answer(plain, other);
  expect(await answer(engine, other, { session: 'a' })).toEqual({ ...expected, found: 0 });
  const longer = [...other, ...expected.tokens, 5, 6];
  const options = { routedExperts: { from: 0 } };
  const whole = await answer(plain, longer, options);
  expect(await answer(engine, longer, { ...options, session: 'a' })).toEqual(whole);
});

test('conversations that wait give way to requests, the oldest first', async () => {
  const model = await newModel();
  const engine = newEngine(model, { cacheTokens: 9 * 64, sequences: 2, sessions: 2 });
  const free = engine.memory.freePages;
  const turns = new Map<string, number[]>();
  for (const session of ['a', 'b', 'c']) {
    const prompt = said(100, session.charCodeAt(0));
    const { tokens } = await answer(engine, prompt, { session });
    turns.set(session, [...prompt, ...tokens, 7]);
  }
  expect(engine.memory.freePages).toBe(free);
  const found = async (session: string) =>
    (await answer(engine, turns.get(session)!, { session, maxTokens: 1 })).found;
  // Two are kept, of three pages each, and this needs six of nine.
  await answer(engine, said(300, 1));
  expect([await found('c'), await found('b'), await found('a')]).toEqual([129, 0, 0]);
  expect(engine.memory.freePages).toBe(free);
});
