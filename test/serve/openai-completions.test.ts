import OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTestServer, type TestServer, text } from './test-server.ts';

let server: TestServer;
let client: OpenAI;

beforeAll(async () => {
  server = await startTestServer();
  client = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: 'none', maxRetries: 0 });
});
afterAll(() => server.close());

const encode = (words: string) => text.tokenizer.encode(words);
const endOfTurn = text.tokenizer.idOf('<|im_end|>')!;

describe('a continuation', () => {
  test('of a text, whole and in pieces', async () => {
    server.says(' there, 你好', { pass: 2 });
    const options = { model: 'mimo', prompt: 'Hello', max_tokens: 50 };
    const whole = await client.completions.create(options);
    expect(whole.choices).toMatchObject([
      { index: 0, text: ' there, 你好', finish_reason: 'stop', logprobs: null },
    ]);
    expect(whole.usage!.prompt_tokens).toBe(encode('Hello').length);
    const stream = await client.completions.create({
      ...options,
      stream: true,
      stream_options: { include_usage: true },
    });
    let streamed = '';
    let usage: OpenAI.CompletionUsage | null | undefined;
    for await (const chunk of stream) {
      streamed += chunk.choices[0]?.text ?? '';
      usage = chunk.usage;
    }
    expect(streamed).toBe(' there, 你好');
    expect(usage).toEqual(whole.usage);
  });

  test('has 16 tokens at most unless more are asked for', async () => {
    server.says('a '.repeat(40));
    const answer = await client.completions.create({ model: 'mimo', prompt: 'x' });
    expect(answer.usage!.completion_tokens).toBe(16);
    expect(answer.choices[0]!.finish_reason).toBe('length');
  });

  test('goes on after the end of the turn if that is to be ignored', async () => {
    server.says('a b');
    const options = { model: 'mimo', prompt: 'x', max_tokens: 50, ignore_eos: true };
    const { choices, usage } = await client.completions.create(options);
    expect(choices[0]).toMatchObject({ text: 'a b', finish_reason: 'length' });
    expect(usage!.completion_tokens).toBe(encode('a b').length + 1);
  });

  test('thinking and calls are text like any other', async () => {
    server.says('<think>a</think>b');
    const answer = await client.completions.create({ model: 'mimo', prompt: 'x' });
    expect(answer.choices[0]!.text).toBe('<think>a</think>b');
  });

  test('of several prompts, texts or ids, n of each', async () => {
    server.engine.script = ({ prompt, seed }) => ({ tokens: [...prompt, ...encode(`${seed}`)] });
    for (const prompt of [
      ['one', 'two'],
      [encode('one'), encode('two')],
    ]) {
      const options = { model: 'mimo', prompt: prompt as string[], n: 2, seed: 5 };
      const answer = await client.completions.create(options);
      expect(answer.choices.map(({ index, text }) => [index, text])).toEqual([
        [0, 'one5'],
        [1, 'one6'],
        [2, 'two5'],
        [3, 'two6'],
      ]);
      // Answers to one prompt share it.
      const prompts = [encode('one'), encode('two')].flat();
      expect(answer.usage!.prompt_tokens).toBe(prompts.length);
    }
    await client.completions.create({ model: 'mimo', prompt: encode('one') });
    expect(server.engine.requests.at(-1)!.prompt).toEqual(encode('one'));
  });
});

describe('log-probabilities', () => {
  test('of a prompt alone, as harnesses score it', async () => {
    const prompt = 'Hello 你🙂 you';
    const ids = encode(prompt);
    const { choices } = await client.completions.create({
      model: 'mimo',
      prompt,
      echo: true,
      max_tokens: 0,
      logprobs: 2,
    });
    const { text: echoed, logprobs, finish_reason } = choices[0]!;
    expect(echoed).toBe(prompt);
    expect(finish_reason).toBe('length');
    expect(logprobs!.token_logprobs).toEqual([null, ...ids.slice(1).map((id) => -id / 1000)]);
    expect(logprobs!.tokens).toHaveLength(ids.length);
    // A character of several tokens begins where its first one does.
    expect(logprobs!.text_offset).toEqual(
      ids.map((_, i) => text.tokenizer.decode(ids.slice(0, i)).replace(/\uFFFD+$/, '').length),
    );
    expect(logprobs!.tokens!.some((token) => token.startsWith('bytes:\\x'))).toBe(true);
    expect(logprobs!.top_logprobs![0]).toBeNull();
    expect(Object.keys(logprobs!.top_logprobs![1]!)).toHaveLength(2);
  });

  test('of prompt and answer in a row, the same streamed', async () => {
    server.says(' b c');
    const options = { model: 'mimo', prompt: 'a', echo: true, logprobs: 0 };
    const { choices } = await client.completions.create(options);
    const { logprobs } = choices[0]!;
    const ids = [...encode('a'), ...encode(' b c'), endOfTurn];
    expect(choices[0]!.text).toBe('a b c');
    expect(logprobs!.token_logprobs).toEqual([null, ...ids.slice(1).map((id) => -id / 1000)]);
    expect(logprobs!.text_offset![encode('a').length]).toBe(1);
    expect(logprobs!.tokens!.at(-1)).toBe('<|im_end|>');
    expect(logprobs!.text_offset!.at(-1)).toBe('a b c'.length);
    const stream = await client.completions.create({ ...options, stream: true });
    const offsets: number[] = [];
    for await (const chunk of stream) {
      offsets.push(...(chunk.choices[0]!.logprobs?.text_offset ?? []));
    }
    expect(offsets).toEqual(logprobs!.text_offset);
  });

  // As lm-evaluation-harness asks: it drops the last entry, whatever was generated.
  test('of a prompt and one token more, also if that ends the answer', async () => {
    server.says('');
    const prompt = encode('a b c');
    const options = { model: 'mimo', prompt, echo: true, logprobs: 1, max_tokens: 1 };
    const { choices } = await client.completions.create(options);
    expect(choices[0]!.finish_reason).toBe('stop');
    expect(choices[0]!.logprobs!.token_logprobs!.slice(0, -1)).toEqual([
      null,
      ...prompt.slice(1).map((id) => -id / 1000),
    ]);
  });

  test('tokens of a stop string are no part of the answer', async () => {
    server.says('ab STOP cd');
    const { choices } = await client.completions.create({
      model: 'mimo',
      prompt: 'x',
      stop: ' STOP',
      logprobs: 0,
    });
    expect(choices[0]!.text).toBe('ab');
    expect(choices[0]!.logprobs!.token_logprobs).toEqual(encode('ab').map((id) => -id / 1000));
  });
});

describe('errors', () => {
  test.each<[object, string]>([
    [{}, 'prompt'],
    [{ prompt: [] }, 'prompt'],
    [{ prompt: '' }, 'prompt'],
    [{ prompt: [[]] }, 'prompt[0]'],
    [{ prompt: [1, -1] }, 'prompt[1]'],
    [{ prompt: [1, 5000] }, 'prompt[1]'],
    [{ prompt: ['x', 'y '.repeat(3000)] }, 'prompt[1]'],
    [{ prompt: 'x', suffix: 'y' }, 'suffix'],
    [{ prompt: 'x', best_of: 3 }, 'best_of'],
    [{ prompt: 'x', logprobs: 100 }, 'logprobs'],
    [{ prompt: 'x', max_tokens: -1 }, 'max_tokens'],
  ])('%j names %s', async (body, field) => {
    const response = await server.request('/v1/completions', body);
    expect(response.status).toBe(400);
    const { error } = (await response.json()) as { error: { param: string; type: string } };
    expect(error).toMatchObject({ param: field, type: 'invalid_request_error' });
  });
});

test('the list of models', async () => {
  const models = await client.models.list();
  expect(models.data.map(({ id }) => id)).toEqual(['mimo']);
  expect((await client.models.retrieve('mimo')).id).toBe('mimo');
  await expect(client.models.retrieve('other')).rejects.toThrow(OpenAI.NotFoundError);
});
