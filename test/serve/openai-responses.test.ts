import OpenAI, { type APIError } from 'openai';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { startTestServer, type TestServer, text, until, writeCall } from './test-server.ts';

let server: TestServer;
let client: OpenAI;

beforeAll(async () => {
  server = await startTestServer();
  client = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: 'none', maxRetries: 0 });
});
afterAll(() => server.close());

const weather: OpenAI.Responses.FunctionTool = {
  type: 'function',
  name: 'weather',
  strict: false,
  parameters: { type: 'object', properties: { city: { type: 'string' } } },
};
const thinking = { model: 'mimo', input: 'Hi', reasoning: { effort: 'high' as const } };

test('a response', async () => {
  server.says('<think>Hm.</think>Hello, 你好!');
  const response = await client.responses.create({ ...thinking, instructions: 'Be kind.' });
  expect(response).toMatchObject({ object: 'response', status: 'completed', store: false });
  expect(response.output_text).toBe('Hello, 你好!');
  expect(response.output).toMatchObject([
    { type: 'reasoning', content: [{ type: 'reasoning_text', text: 'Hm.' }] },
    { type: 'message', role: 'assistant', status: 'completed' },
  ]);
  expect(response.usage!.output_tokens_details.reasoning_tokens).toBeGreaterThan(0);
  expect(server.lastPrompt()).toMatch(/system\nBe kind\.<\|im_end\|>.*user\nHi<\|im_end\|>/s);
});

test('a response that is cut is incomplete', async () => {
  server.says('one two three');
  const response = await client.responses.create({
    model: 'mimo',
    input: 'x',
    max_output_tokens: 2,
  });
  expect(response.status).toBe('incomplete');
  expect(response.incomplete_details).toEqual({ reason: 'max_output_tokens' });
});

test('the client puts a stream together to the same response', async () => {
  server.says(`<think>Hm.</think>I ask.${writeCall('weather', { city: 'Oslo' })}`, { pass: 2 });
  const stream = client.responses.stream({ ...thinking, tools: [weather] });
  const types: string[] = [];
  const numbers: number[] = [];
  for await (const event of stream) {
    if (types.at(-1) !== event.type) types.push(event.type);
    numbers.push((event as { sequence_number: number }).sequence_number);
  }
  expect(numbers).toEqual(numbers.map((_, i) => i));
  expect(types).toEqual([
    'response.created',
    'response.in_progress',
    'response.output_item.added',
    'response.content_part.added',
    'response.reasoning_text.delta',
    'response.reasoning_text.done',
    'response.content_part.done',
    'response.output_item.done',
    'response.output_item.added',
    'response.content_part.added',
    'response.output_text.delta',
    'response.output_text.done',
    'response.content_part.done',
    'response.output_item.done',
    'response.output_item.added',
    'response.function_call_arguments.delta',
    'response.function_call_arguments.done',
    'response.output_item.done',
    'response.completed',
  ]);
  const final = await stream.finalResponse();
  expect(final.output_text).toBe('I ask.');
  expect(final.output.at(-1)).toMatchObject({
    type: 'function_call',
    name: 'weather',
    arguments: '{"city":"Oslo"}',
  });
});

test('arguments are streamed as they are written', async () => {
  server.says(
    `${writeCall('weather', { city: 'New "York"' })}${writeCall('weather', { city: 'Oslo, Norway' })}`,
  );
  const asked = { model: 'mimo', input: 'x', tools: [weather] };
  const whole = await client.responses.create(asked);
  const stream = await client.responses.create({ ...asked, stream: true });
  const pieces: string[][] = [[], []];
  const done: string[] = [];
  for await (const event of stream) {
    if (event.type === 'response.output_item.added') {
      expect(event.item).toMatchObject({ type: 'function_call', name: 'weather', arguments: '' });
    } else if (event.type === 'response.function_call_arguments.delta') {
      pieces[event.output_index]!.push(event.delta);
    } else if (event.type === 'response.function_call_arguments.done') {
      done.push(event.arguments);
    }
  }
  for (const { length } of pieces) expect(length).toBeGreaterThan(2);
  expect(done).toEqual(['{"city":"New \\"York\\""}', '{"city":"Oslo, Norway"}']);
  expect(pieces.map((parts) => parts.join(''))).toEqual(done);
  expect(whole.output).toMatchObject(
    done.map((json) => ({ status: 'completed', arguments: json })),
  );
});

test('a call that is cut off is an incomplete item', async () => {
  const call = writeCall('weather', { city: 'Xanten' });
  server.says(call.slice(0, call.indexOf('</parameter>')));
  const asked = { model: 'mimo', input: 'x', tools: [weather] };
  const item = { type: 'function_call', status: 'incomplete', arguments: '{"city":"Xanten' };
  expect((await client.responses.create(asked)).output).toMatchObject([item]);
  const streamed = await client.responses.stream(asked).finalResponse();
  expect(streamed.output).toMatchObject([item]);
});

test('tools over several turns', async () => {
  const turns = [
    `<think>Two.</think>I ask.${writeCall('weather', { city: 'A' })}${writeCall('weather', { city: 'B' })}`,
    '<think>Done.</think>Sunny.',
  ];
  let turn = 0;
  server.engine.script = () => ({ tokens: text.tokenizer.encode(turns[turn++]!) });
  const input: OpenAI.Responses.ResponseInputItem[] = [{ role: 'user', content: 'Weather?' }];
  const first = await client.responses.create({ ...thinking, input, tools: [weather] });
  input.push(...first.output.map((item) => item as OpenAI.Responses.ResponseInputItem));
  for (const item of first.output) {
    if (item.type !== 'function_call') continue;
    input.push({ type: 'function_call_output', call_id: item.call_id, output: '20 °C' });
  }
  const second = await client.responses.create({ ...thinking, input, tools: [weather] });
  expect(second.output_text).toBe('Sunny.');
  expect(server.lastPrompt()).toContain(
    'assistant\n<think>Two.</think>I ask.<tool_call>\n<function=weather>\n<parameter=city>A</parameter>\n</function>\n</tool_call><tool_call>',
  );
  expect(server.lastPrompt()).toContain(
    'tool\n<tool_response>\n20 °C\n</tool_response>\n<tool_response>',
  );
});

test('log-probabilities of the text', async () => {
  server.says('Hi you');
  const response = await client.responses.create({
    model: 'mimo',
    input: 'x',
    include: ['message.output_text.logprobs'],
    top_logprobs: 1,
  });
  const [item] = response.output;
  const [part] = (item as OpenAI.Responses.ResponseOutputMessage).content;
  const { logprobs } = part as OpenAI.Responses.ResponseOutputText;
  expect(logprobs!.map(({ token }) => token).join('')).toBe('Hi you');
});

describe('errors', () => {
  test.each<[object, string]>([
    [{ input: undefined }, 'input'],
    [{ input: [] }, 'input'],
    [{ input: [{ type: 'computer_call' }] }, 'input[0].type'],
    [{ input: [{ role: 'user', content: [{ type: 'input_image' }] }] }, 'input[0].content[0].type'],
    [{ previous_response_id: 'resp_1' }, 'previous_response_id'],
    [{ store: true }, 'store'],
    [{ background: true }, 'background'],
    [{ tools: [{ type: 'web_search' }] }, 'tools[0].type'],
    [{ text: { format: { type: 'xml' } } }, 'text.format.type'],
    [{ text: { format: { type: 'json_schema', schema: { not: {} } } } }, 'text.format'],
    [{ top_logprobs: 1 }, 'top_logprobs'],
    [{ truncation: 'auto' }, 'truncation'],
  ])('%j names %s', async (body, field) => {
    const error = await client.responses
      .create({ model: 'mimo', input: 'x', ...body } as never)
      .then(
        () => undefined,
        (error: unknown) => error as APIError,
      );
    expect(error?.status).toBe(400);
    expect(error?.param).toBe(field);
  });

  test('a stream that fails says so', async () => {
    const log = vi.spyOn(console, 'error').mockReturnValue();
    server.says('one two', { failure: { after: 1, error: new Error('broke') } });
    const stream = await client.responses.create({ model: 'mimo', input: 'x', stream: true });
    const events: OpenAI.Responses.ResponseStreamEvent[] = [];
    for await (const event of stream) events.push(event);
    expect(events.at(-1)).toMatchObject({
      type: 'response.failed',
      response: { status: 'failed', error: { message: expect.stringMatching(/server failed/) } },
    });
    expect(log).toHaveBeenCalledOnce();
    log.mockRestore();
  });

  test('a client that leaves ends the work', async () => {
    server.says('la '.repeat(500), { delay: 2 });
    const stream = await client.responses.create({ model: 'mimo', input: 'x', stream: true });
    for await (const event of stream) if (event.type === 'response.output_text.delta') break;
    await until(() => server.engine.running === 0);
    expect(server.engine.ended).toBeGreaterThan(0);
  });
});
