import Anthropic from '@anthropic-ai/sdk';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { startTestServer, type TestServer, text, until, writeCall } from './test-server.ts';

let server: TestServer;
let client: Anthropic;

beforeAll(async () => {
  server = await startTestServer();
  client = new Anthropic({ baseURL: server.url, apiKey: 'none', maxRetries: 0 });
});
afterAll(() => server.close());

const question = {
  model: 'mimo',
  max_tokens: 500,
  messages: [{ role: 'user' as const, content: 'Hi' }],
};
const thinking = { thinking: { type: 'enabled' as const, budget_tokens: 100 } };
const weather: Anthropic.Tool = {
  name: 'weather',
  description: 'The weather of a city',
  input_schema: {
    type: 'object',
    properties: { city: { type: 'string' }, days: { type: 'integer' } },
  },
};

test('a message', async () => {
  server.says('<think>Hm.</think>Hello, 你好!');
  const message = await client.messages.create({ ...question, ...thinking, system: 'Be kind.' });
  expect(message).toMatchObject({
    type: 'message',
    role: 'assistant',
    model: 'mimo',
    stop_reason: 'end_turn',
    stop_sequence: null,
    content: [
      { type: 'thinking', thinking: 'Hm.' },
      { type: 'text', text: 'Hello, 你好!' },
    ],
  });
  const { length } = server.engine.requests.at(-1)!.prompt;
  expect(message.usage).toMatchObject({ input_tokens: length - 2, cache_read_input_tokens: 2 });
  expect(server.lastPrompt()).toMatch(/system\nBe kind\.<\|im_end\|>/);
});

test('the client puts a stream together to the same message', async () => {
  server.says(`<think>Hm.</think>I ask.${writeCall('weather', { city: 'Oslo', days: '2' })}`, {
    pass: 2,
  });
  const stream = client.messages.stream({ ...question, ...thinking, tools: [weather] });
  const types: string[] = [];
  for await (const { type } of stream) if (types.at(-1) !== type) types.push(type);
  const block = ['content_block_start', 'content_block_delta', 'content_block_stop'];
  expect(types).toEqual([
    'message_start',
    ...[...block, ...block, ...block],
    'message_delta',
    'message_stop',
  ]);
  const message = await stream.finalMessage();
  expect(message.stop_reason).toBe('tool_use');
  expect(message.content).toMatchObject([
    { type: 'thinking', thinking: 'Hm.' },
    { type: 'text', text: 'I ask.' },
    { type: 'tool_use', name: 'weather', input: { city: 'Oslo', days: 2 } },
  ]);
  expect(message.usage.output_tokens).toBeGreaterThan(10);
});

test('arguments are streamed as they are written', async () => {
  const tools = [weather];
  server.says(
    `${writeCall('weather', { city: 'New "York"', days: '12' })}${writeCall('weather', {})}`,
  );
  const whole = await client.messages.create({ ...question, tools });
  const stream = await client.messages.create({ ...question, tools, stream: true });
  const pieces: string[][] = [[], []];
  const types: string[] = [];
  for await (const event of stream) {
    if (types.at(-1) !== event.type) types.push(event.type);
    if (event.type === 'content_block_start') {
      expect(event.content_block).toMatchObject({ type: 'tool_use', name: 'weather', input: {} });
    }
    if (event.type === 'content_block_delta' && event.delta.type === 'input_json_delta') {
      pieces[event.index]!.push(event.delta.partial_json);
    }
  }
  const block = ['content_block_start', 'content_block_delta', 'content_block_stop'];
  expect(types).toEqual(['message_start', ...block, ...block, 'message_delta', 'message_stop']);
  expect(pieces[0]!.length).toBeGreaterThan(2);
  const inputs = pieces.map((parts) => JSON.parse(parts.join('')) as unknown);
  expect(inputs).toEqual([{ city: 'New "York"', days: 12 }, {}]);
  expect(whole.content).toMatchObject(inputs.map((input) => ({ type: 'tool_use', input })));
});

test('a call that is cut off is not told from one by its block, but by what stopped it', async () => {
  const call = writeCall('weather', { city: 'Xanten' });
  const cut = call.slice(0, call.indexOf('</parameter>'));
  server.says(cut);
  const asked = { ...question, tools: [weather] };
  const streamed = await client.messages.stream(asked).finalMessage();
  expect(streamed.content).toMatchObject([{ type: 'tool_use', name: 'weather' }]);
  expect(streamed.stop_reason).toBe('end_turn');
  expect(await client.messages.create(asked)).toMatchObject({
    content: [{ type: 'text', text: cut }],
    stop_reason: 'end_turn',
  });
});

test('tools over several turns', async () => {
  const turns = [
    `<think>Two.</think>${writeCall('weather', { city: 'A' })}${writeCall('weather', { city: 'B' })}`,
    '<think>Done.</think>Sunny.',
  ];
  let turn = 0;
  server.engine.script = () => ({ tokens: text.tokenizer.encode(turns[turn++]!) });
  const options = { ...question, ...thinking, tools: [weather] };
  const first = await client.messages.create(options);
  const results = first.content.flatMap((block, i) =>
    block.type === 'tool_use'
      ? [
          {
            type: 'tool_result' as const,
            tool_use_id: block.id,
            content: [{ type: 'text' as const, text: `${i} °C` }],
            is_error: i === 2,
          },
        ]
      : [],
  );
  const second = await client.messages.create({
    ...options,
    messages: [
      ...question.messages,
      { role: 'assistant', content: first.content },
      { role: 'user', content: [...results, { type: 'text', text: 'So?' }] },
    ],
  });
  expect(second.content.at(-1)).toMatchObject({ type: 'text', text: 'Sunny.' });
  const prompt = server.lastPrompt();
  expect(prompt).toContain('assistant\n<think>Two.</think><tool_call>\n<function=weather>');
  expect(prompt).toContain(
    '<|im_start|>tool\n<tool_response>\n1 °C\n</tool_response>\n<tool_response>\nError: 2 °C\n</tool_response>\n<|im_end|><|im_start|>user\nSo?<|im_end|>',
  );
});

test('what stopped it', async () => {
  server.says('one two STOP three');
  const stopped = await client.messages.create({ ...question, stop_sequences: [' STOP'] });
  expect(stopped).toMatchObject({
    content: [{ type: 'text', text: 'one two' }],
    stop_reason: 'stop_sequence',
    stop_sequence: ' STOP',
  });
  const cut = await client.messages.create({ ...question, max_tokens: 2 });
  expect(cut.stop_reason).toBe('max_tokens');
  server.says(`${writeCall('weather', { city: 'A' })}${writeCall('weather', { city: 'B' })}`);
  const single = await client.messages.create({
    ...question,
    tools: [weather],
    tool_choice: { type: 'auto', disable_parallel_tool_use: true },
  });
  expect(single.content).toHaveLength(1);
  expect(single.stop_reason).toBe('tool_use');
});

test('where a cache should begin may be said, and changes nothing', async () => {
  server.says('ok');
  const cache_control = { type: 'ephemeral', ttl: '1h' } as const;
  const { content } = await client.messages.create({ ...question, cache_control });
  expect(content).toEqual([{ type: 'text', text: 'ok' }]);
});

test('counting tokens', async () => {
  server.says('ok');
  const { max_tokens: _, ...counted } = question;
  const { input_tokens } = await client.messages.countTokens({ ...counted, tools: [weather] });
  await client.messages.create({ ...question, tools: [weather] });
  expect(input_tokens).toBe(server.engine.requests.at(-1)!.prompt.length);
});

describe('errors', () => {
  test.each<[object, RegExp]>([
    [{ max_tokens: undefined }, /^max_tokens: /],
    [{ messages: [] }, /^messages: /],
    [{ messages: [{ role: 'system', content: 'x' }] }, /^messages\[0\]\.role: must be user or/],
    [
      { messages: [{ role: 'user', content: [{ type: 'image', source: {} }] }] },
      /^messages\[0\]\.content\[0\]\.type: this model reads only text/,
    ],
    [
      { messages: [...question.messages, { role: 'assistant', content: 'I' }] },
      /^messages: end with the assistant/,
    ],
    [{ temperature: 1.5 }, /^temperature: /],
    [{ tool_choice: { type: 'any' } }, /^tool_choice: there is no tool/],
    [{ tool_choice: { type: 'all' } }, /^tool_choice\.type: must be auto, any, tool or none/],
    [
      { output_config: { format: { type: 'json_schema', schema: { not: {} } } } },
      /^output_config\.format: schema\.not: is not supported/,
    ],
    [
      { thinking: { type: 'enabled', budget_tokens: 500 } },
      /^thinking\.budget_tokens: must be less/,
    ],
    [{ container: 'x' }, /^container: is not a field/],
  ])('%j', async (body, message) => {
    const error = await client.messages.create({ ...question, ...body } as never).then(
      () => undefined,
      (error: unknown) => error as InstanceType<typeof Anthropic.APIError>,
    );
    expect(error).toBeInstanceOf(Anthropic.BadRequestError);
    expect(error?.error).toMatchObject({
      type: 'error',
      error: { type: 'invalid_request_error', message: expect.stringMatching(message) },
    });
  });

  test('a model that is not there', async () => {
    const asked = client.messages.create({ ...question, model: 'claude' });
    await expect(asked).rejects.toThrow(Anthropic.NotFoundError);
  });

  test('a stream that fails says so', async () => {
    const log = vi.spyOn(console, 'error').mockReturnValue();
    server.says('one two', { failure: { after: 1, error: new Error('broke') } });
    const stream = client.messages.stream(question);
    await expect(stream.finalMessage()).rejects.toThrow(/api_error.*the server failed/);
    expect(log).toHaveBeenCalledOnce();
    log.mockRestore();
  });

  test('a client that leaves ends the work', async () => {
    server.says('la '.repeat(500), { delay: 2 });
    const stream = client.messages.stream(question);
    stream.once('text', () => stream.abort());
    await expect(stream.finalMessage()).rejects.toThrow(Anthropic.APIUserAbortError);
    await until(() => server.engine.running === 0);
    expect(server.engine.ended).toBeGreaterThan(0);
  });
});
