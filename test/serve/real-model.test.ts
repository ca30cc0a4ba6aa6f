/** The server over the engine and the model that ships. */
import { cp, mkdtemp, realpath, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { EngineService } from '../../src/serve/engine-service.ts';
import type { RunningServer } from '../../src/serve/server.ts';
import { type RealServer, startRealServer } from './real-server.ts';
import { until } from './test-server.ts';

let running: RealServer;
let engine: EngineService;
let server: RunningServer;
let client: OpenAI;
let root: string;

beforeAll(async () => {
  root = await realpath(await mkdtemp(join(tmpdir(), 'mimoflash-serve-')));
  running = await startRealServer({ weightsRoot: root });
  ({ engine, server } = running);
  client = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: 'none', maxRetries: 0 });
});
afterAll(async () => {
  await running.close();
  await rm(root, { recursive: true });
});

const ask = (content: string, options: object = {}) => ({
  model: 'tiny',
  messages: [{ role: 'user' as const, content }],
  temperature: 0,
  ...options,
});

async function streamed(body: ReturnType<typeof ask>): Promise<string> {
  let content = '';
  for await (const chunk of await client.chat.completions.create({ ...body, stream: true })) {
    content += chunk.choices[0]!.delta.content ?? '';
  }
  return content;
}

async function cachedOf(body: ReturnType<typeof ask>): Promise<number> {
  const { usage } = await client.chat.completions.create(body);
  return usage!.prompt_tokens_details!.cached_tokens!;
}

test('answers, with thinking and without, whole and streamed', async () => {
  const thinking = { reasoning_effort: 'high' };
  const whole = await client.chat.completions.create(ask('47+58', thinking));
  expect(whole.choices[0]).toMatchObject({
    finish_reason: 'stop',
    message: { content: '105', reasoning_content: expect.stringMatching(/8\+7=15/) },
  });
  expect(await streamed(ask('47+58', thinking))).toBe('105');
  expect(await streamed(ask('你好'))).toMatch(/你好/);
});

test('each of many streams at once is what it would be alone', async () => {
  const bodies = ['12+34', 'Hello', '你好', '7*8', 'c-a-t', '90-17'].flatMap((question, i) => [
    ask(question),
    ask(question, { temperature: 1, seed: i, reasoning_effort: 'low' }),
  ]);
  const alone: string[] = [];
  for (const body of bodies) alone.push(await streamed(body));
  expect(await Promise.all(bodies.map(streamed))).toEqual(alone);
});

test('what requests have in common is found, by those of the same salt', async () => {
  const beginning = 'Here is a long beginning. '.repeat(20);
  const cached = (rest: string, options: object = {}) =>
    cachedOf(ask(beginning + rest, { max_tokens: 1, ...options }));
  expect(await cached('One?')).toBe(0);
  expect(await cached('One?')).toBeGreaterThan(64);
  expect(await cached('One?', { cache_salt: 'mine' })).toBe(0);
  await cached('Two?');
  expect(await cached('Three?')).toBeGreaterThan(64);
});

test('a seed gives the same answer, others give others', async () => {
  const body = ask('Hello', { temperature: 2, max_tokens: 30, n: 3, seed: 1 });
  const contents = async () => {
    const { choices } = await client.chat.completions.create(body);
    return choices.map(({ message }) => message.content);
  };
  const first = await contents();
  expect(await contents()).toEqual(first);
  expect(new Set(first).size).toBe(3);
});

test('what clients leave is dropped', async () => {
  const controller = new AbortController();
  const endless = { model: 'tiny', prompt: 'a', max_tokens: 900, temperature: 2 };
  const leaving = client.completions.create(endless, { signal: controller.signal });
  await until(() => engine.figures().running > 0);
  controller.abort();
  await expect(leaving).rejects.toThrow();
  await until(() => engine.figures().running === 0);
});

test('a prompt of only the context is refused, one token less is answered', async () => {
  const { maxPositions } = engine.config;
  const generate = (length: number) =>
    fetch(`${server.url}/generate`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        input_ids: new Array(length).fill(40),
        sampling_params: { max_new_tokens: 5 },
      }),
    });
  expect((await generate(maxPositions)).status).toBe(400);
  const answer = await generate(maxPositions - 1);
  expect(await answer.json()).toMatchObject({
    output_ids: [expect.any(Number)],
    meta_info: { prompt_tokens: maxPositions - 1 },
  });
});

describe('new weights', () => {
  const update = async (model_path: string) => {
    const response = await fetch(`${server.url}/update_weights_from_disk`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ model_path }),
    });
    return [response.status, await response.json()] as const;
  };
  const copy = async (name: string) => {
    const path = join(root, name);
    await cp(running.directory, path, { recursive: true });
    return path;
  };

  test('while requests are in work, which end on the old ones', async () => {
    const body = ask('123+456', { reasoning_effort: 'high' });
    const expected = await streamed(body);
    const long = ask('What is it? '.repeat(30), { max_tokens: 1 });
    expect(await cachedOf(long)).toBe(0);
    expect(await cachedOf(long)).toBeGreaterThan(64);
    const running = Promise.all([streamed(body), streamed(body)]);
    await until(() => engine.figures().running > 0);
    const [status, answer] = await update(await copy('second'));
    expect(answer).toMatchObject({ success: true });
    expect(status).toBe(200);
    expect(await running).toEqual([expected, expected]);
    // What the old ones have left in caches is not for the new.
    expect(await cachedOf(long)).toBe(0);
    expect(await cachedOf(long)).toBeGreaterThan(64);
    expect(engine.weightVersion).toBe('second');
    expect(await streamed(body)).toBe(expected);
  });

  test.each<[string, (path: string) => Promise<void>, RegExp]>([
    ['cut short', (path) => truncate(join(path, 'model.safetensors'), 5000), /model\.safetensors/],
    ['without a config', (path) => rm(join(path, 'config.json')), /config\.json/],
    [
      'of another shape',
      async (path) => {
        const config = join(path, 'config.json');
        const { default: present } = await import(join(running.directory, 'config.json'), {
          with: { type: 'json' },
        });
        await writeFile(config, JSON.stringify({ ...present, max_position_embeddings: 99 }));
      },
      /differs from the running model's/,
    ],
  ])('%s leave the present ones serving', async (name, damage, message) => {
    const path = await copy(name.replaceAll(' ', '-'));
    await damage(path);
    const version = engine.weightVersion;
    const [status, answer] = await update(path);
    expect(status).toBe(400);
    expect(answer).toMatchObject({ success: false, message: expect.stringMatching(message) });
    expect(engine.weightVersion).toBe(version);
    expect(await streamed(ask('47+58', { reasoning_effort: 'low' }))).toBe('105');
  });
});
