/** Long texts are encoded in a thread of their own, to the same ids, and nobody waits for them. */
import { once } from 'node:events';
import { setImmediate as turn } from 'node:timers/promises';
import type { Worker } from 'node:worker_threads';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Encoder } from '../../src/serve/worker/encoder.ts';
import { shippedModel } from '../../src/shipped-model.ts';
import { readTextFiles } from '../../src/text/tokenizer-files.ts';
import { contextTokens, startTestServer, type TestServer, text } from './test-server.ts';

const files = await readTextFiles(shippedModel);
const { tokenizer } = text;
/** Both are too long to be encoded at once; a word is the longest work. */
const prose = 'A fox, 狐狸 🦊 and <|im_end|> e\u0301: 12 words.\n'.repeat(2000);
const word = '狐狸fox'.repeat(20_000);

describe('an encoder', () => {
  const encoder = new Encoder(tokenizer, files);
  afterAll(() => encoder.end());

  test('gives the ids that the tokenizer gives, of texts in their order', async () => {
    const lists = [
      [prose, 'short', word],
      ['short', ''],
      [],
      [word],
      Array(300).fill('a fox '.repeat(20)),
    ];
    const encoded = await Promise.all(lists.map((texts) => encoder.encode(texts)));
    expect(encoded).toEqual(lists.map((texts) => texts.map((text) => tokenizer.encode(text))));
  });

  test('gives one id more than a limit that a long text exceeds, and all of one that does not', async () => {
    const all = tokenizer.encode(prose);
    const limited = (limit: number) => encoder.encode([prose, word], limit);
    expect((await limited(all.length))[0]).toEqual(all);
    for (const ids of await limited(100)) expect(ids).toHaveLength(101);
  });

  test('gives turns to others while it encodes a long text', async () => {
    let turns = 0;
    let isDone = false;
    const encoded = encoder.encode([word]).finally(() => {
      isDone = true;
    });
    for (; !isDone; turns++) await turn();
    await encoded;
    expect(turns).toBeGreaterThan(1);
  });
});

describe('a server with an encoder', () => {
  let server: TestServer;
  let encoder: Encoder;
  let worker: Worker;
  /** Is told of each text that is encoded, when that begins and when it is done. */
  let watch: (text: string, event: 'asked' | 'encoded') => void = () => {};

  beforeAll(async () => {
    const started = once(process, 'worker');
    encoder = new Encoder(tokenizer, files);
    [worker] = (await started) as [Worker];
    const encode: Encoder['encode'] = async (texts, limit) => {
      for (const text of texts) watch(text, 'asked');
      const encoded = await encoder.encode(texts, limit);
      for (const text of texts) watch(text, 'encoded');
      return encoded;
    };
    server = await startTestServer({ encode });
    server.says('Hello.');
  });

  afterAll(async () => {
    await server.close();
    await encoder.end();
  });

  const chat = (content: string) => ({ model: 'mimo', messages: [{ role: 'user', content }] });
  const requests: [string, object][] = [
    ['/v1/chat/completions', chat(word)],
    ['/v1/messages', { ...chat(word), max_tokens: 4 }],
    ['/v1/completions', { prompt: ['a', prose] }],
    ['/generate', { text: [prose, 'a'] }],
  ];

  test('answers others before a long text is encoded', async () => {
    const long = word.repeat(8);
    const events: string[] = [];
    const asked = new Promise<void>((resolve) => {
      watch = (text, event) => {
        if (text !== long) return;
        events.push(event);
        resolve();
      };
    });
    const slow = server.request('/tokenize', { prompt: long });
    await asked;
    const quick = await server.request('/v1/chat/completions', chat('Hi'));
    expect(await quick.json()).toMatchObject({ choices: [{ message: { content: 'Hello.' } }] });
    expect(events).toEqual(['asked']);
    expect((await slow).status).toBe(200);
    expect(events).toEqual(['asked', 'encoded']);
  });

  test.each(requests)('%s refuses a long text that does not fit', async (path, body) => {
    const response = await server.request(path, body);
    expect(response.status).toBe(400);
    const { error } = (await response.json()) as { error: { message: string } };
    expect(error.message).toMatch(`more than ${contextTokens} tokens`);
  });

  test('counts the tokens of a long text', async () => {
    const tokenized = await server.request('/tokenize', { prompt: prose });
    expect(await tokenized.json()).toMatchObject({ tokens: tokenizer.encode(prose) });
    const counted = await server.request('/v1/messages/count_tokens', chat(prose));
    const { count } = (await (await server.request('/tokenize', chat(prose))).json()) as {
      count: number;
    };
    expect(await counted.json()).toEqual({ input_tokens: count });
  });

  test('without its thread refuses long texts, those that wait too, and answers short ones', async () => {
    const waiting = [encoder.encode([word]), encoder.encode([prose])];
    const ended = Promise.allSettled(waiting);
    await worker.terminate();
    const reason = 'the thread that encodes long texts has stopped';
    expect(await ended).toMatchObject([{ status: 'rejected' }, { status: 'rejected' }]);
    for (const [path, body] of requests) {
      const response = await server.request(path, body);
      expect(response.status).toBe(503);
      expect(await response.text()).toContain(reason);
    }
    expect((await server.request('/v1/chat/completions', chat('Hi'))).status).toBe(200);
  });
});
