/** Whatever a client sends ends in an answer or in an error that says what is wrong, never in a 500. */
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { startTestServer, type TestServer, writeCall } from './test-server.ts';

let server: TestServer;
const log = vi.spyOn(console, 'error').mockReturnValue();

beforeAll(async () => {
  server = await startTestServer({ maxRequests: 10_000 });
  server.says(`<think>a</think>b${writeCall('f', { x: '1' })}`, { pass: 3 });
});
afterAll(() => server.close());

const parameters = { type: 'object', properties: { x: { type: 'integer' } }, required: ['x'] };
const messages = [
  { role: 'system', content: 'S' },
  { role: 'user', content: [{ type: 'text', text: 'U' }] },
  {
    role: 'assistant',
    content: null,
    reasoning_content: 'R',
    tool_calls: [{ id: 'c', type: 'function', function: { name: 'f', arguments: '{"x":1}' } }],
  },
  { role: 'tool', tool_call_id: 'c', content: '2' },
];
const sampling = {
  temperature: 1,
  top_p: 1,
  top_k: 5,
  min_p: 0.1,
  stop: ['x'],
  logit_bias: { 5: 1 },
};

/** A body of each route in which most fields are set. */
const bodies: [path: string, body: object][] = [
  [
    '/v1/chat/completions',
    {
      model: 'mimo',
      messages,
      ...sampling,
      n: 2,
      max_tokens: 20,
      stream: true,
      stream_options: { include_usage: true },
      logprobs: true,
      top_logprobs: 2,
      tools: [
        { type: 'function', function: { name: 'f', description: 'F', strict: true, parameters } },
      ],
      tool_choice: 'auto',
      response_format: { type: 'json_schema', json_schema: { name: 'a', schema: parameters } },
      chat_template_kwargs: { enable_thinking: true },
      thinking_budget: 2,
    },
  ],
  [
    '/v1/completions',
    {
      prompt: ['a', 'b'],
      ...sampling,
      ...{ echo: true, logprobs: 1, max_tokens: 5, n: 2 },
      structured_outputs: { regex: '[a-c]{2,3}|(x\\d)+' },
    },
  ],
  [
    '/v1/responses',
    {
      instructions: 'I',
      input: [
        { role: 'user', content: 'U' },
        { type: 'reasoning', summary: [], content: [{ type: 'reasoning_text', text: 'R' }] },
        { type: 'function_call', call_id: 'c', name: 'f', arguments: '{"x":1}' },
        { type: 'function_call_output', call_id: 'c', output: '2' },
      ],
      tools: [{ type: 'function', name: 'f', parameters }],
      text: { format: { type: 'json_schema', name: 'a', schema: parameters } },
      reasoning: { effort: 'low' },
      include: ['message.output_text.logprobs'],
    },
  ],
  [
    '/v1/messages',
    {
      model: 'mimo',
      max_tokens: 50,
      system: [{ type: 'text', text: 'S' }],
      messages: [
        { role: 'user', content: 'U' },
        {
          role: 'assistant',
          content: [
            { type: 'thinking', thinking: 'R', signature: 's' },
            { type: 'tool_use', id: 'c', name: 'f', input: { x: 1 } },
          ],
        },
        { role: 'user', content: [{ type: 'tool_result', tool_use_id: 'c', content: '2' }] },
      ],
      tools: [{ name: 'f', strict: true, input_schema: parameters }],
      tool_choice: { type: 'tool', name: 'f' },
      output_config: { format: { type: 'json_schema', schema: parameters } },
      thinking: { type: 'enabled', budget_tokens: 10 },
    },
  ],
  [
    '/generate',
    {
      input_ids: [1, 2, 3],
      sampling_params: {
        ...{ temperature: 1, max_new_tokens: 5, stop: ['x'], n: 2 },
        json_schema: parameters,
      },
      return_logprob: true,
      logprob_start_len: 0,
      top_logprobs_num: 2,
      return_routed_experts: true,
      routed_experts_start_len: 1,
    },
  ],
  ['/tokenize', { messages, tools: [{ type: 'function', function: { name: 'f', parameters } }] }],
  ['/detokenize', { tokens: [1, 2] }],
  ['/update_weights_from_disk', { model_path: '/nowhere', weight_version: 'v' }],
  ['/abort_request', { rid: 'x' }],
];

/** Values that break what expects others. */
const value = fc.oneof(
  fc.jsonValue({ maxDepth: 3 }),
  fc.constantFrom<unknown>(
    ...[null, '', [], {}, -1, 0, 1e308, 0.5, true, [[]], { role: 'user' }, { type: 'text' }],
    ...['__proto__', '<|im_end|>', '</parameter>', '\ud800', '{{ x }}', { __proto__: 1 }, 2 ** 53],
  ),
  fc.string({ unit: 'binary' }),
);

/** A copy of a body with a value somewhere in it replaced, removed or added. */
function change(body: unknown, steps: readonly number[], replacement: unknown): unknown {
  const [step, ...rest] = steps;
  if (step === undefined || typeof body !== 'object' || body === null) return replacement;
  const entries = Object.entries(body);
  if (entries.length === 0) return replacement;
  const [key, inner] = entries[step % entries.length]!;
  if (Array.isArray(body)) return body.with(Number(key), change(inner, rest, replacement));
  return { ...body, [key]: change(inner, rest, replacement) };
}

async function expectAnswerOrError(path: string, body: string): Promise<void> {
  const response = await server.request(path, body);
  const said = await response.text();
  expect(response.status, said).toBeLessThan(500);
  const logged = log.mock.calls.splice(0);
  expect(logged).toEqual([]);
  if (response.status === 200) return;
  const answer = JSON.parse(said) as { error?: { message: string }; message?: string };
  expect((answer.error ?? answer).message).toMatch(/\S/);
}

test.each(bodies)('%s takes the body that is changed below', async (path, body) => {
  const response = await server.request(path, body);
  const said = await response.text();
  expect(response.status, said).toBe(path.startsWith('/update') ? 403 : 200);
});

test.each(bodies)('%s with one or two fields wrong', async (path, body) => {
  const changes = fc.array(fc.tuple(fc.array(fc.nat(20), { minLength: 1, maxLength: 5 }), value), {
    minLength: 1,
    maxLength: 2,
  });
  await fc.assert(
    fc.asyncProperty(changes, async (changes) => {
      const changed = changes.reduce<unknown>(
        (previous, [steps, replacement]) => change(previous, steps, replacement),
        body,
      );
      await expectAnswerOrError(path, JSON.stringify(changed));
    }),
    { numRuns: 150 },
  );
});

test.each(bodies)('%s with any text for a body', async (path, body) => {
  const whole = JSON.stringify(body);
  const damaged = fc.tuple(fc.nat(whole.length), fc.nat(10), fc.string()).map(([at, cut, text]) => {
    return whole.slice(0, at) + text + whole.slice(at + cut);
  });
  await fc.assert(
    fc.asyncProperty(fc.oneof(fc.string({ unit: 'binary' }), damaged), (body) =>
      expectAnswerOrError(path, body),
    ),
    { numRuns: 50 },
  );
});

test('nothing is left running', () => {
  expect(server.engine.running).toBe(0);
});
