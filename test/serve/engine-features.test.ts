/** What the engine tells about tokens and how it is told to write them, through the official clients. */

import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import Anthropic from '@anthropic-ai/sdk';
import { generateText, Output } from 'ai';
import OpenAI from 'openai';
import { zodResponseFormat, zodTextFormat } from 'openai/helpers/zod';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { type RealServer, startRealServer } from './real-server.ts';

let running: RealServer;
let client: OpenAI;
let anthropic: Anthropic;

beforeAll(async () => {
  running = await startRealServer();
  const { url } = running.server;
  client = new OpenAI({ baseURL: `${url}/v1`, apiKey: 'none', maxRetries: 0 });
  anthropic = new Anthropic({ baseURL: url, apiKey: 'none', maxRetries: 0 });
});
afterAll(() => running.close());

const messages = (content: string) => [{ role: 'user' as const, content }];
const ask = (content: string) => ({ model: 'tiny', messages: messages(content), max_tokens: 200 });

interface Generated {
  output_ids: number[];
  meta_info: {
    weight_version: string;
    input_token_logprobs: [number | null, number, null][];
    output_token_logprobs: [number, number, null][];
    output_top_logprobs: [number, number, null][][];
    routed_experts: string;
    routed_experts_shape: [number, number, number];
  };
}

async function generate(body: object): Promise<Generated> {
  const response = await fetch(`${running.server.url}/generate`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  expect(response.status).toBe(200);
  return (await response.json()) as Generated;
}

describe('log-probabilities', () => {
  test('of a chat are of each token, with the most probable ones', async () => {
    const body = { ...ask('12+34'), temperature: 0, logprobs: true, top_logprobs: 3 };
    const { choices } = await client.chat.completions.create(body);
    const { content } = choices[0]!.logprobs!;
    expect(content!.map(({ token }) => token).join('')).toContain(choices[0]!.message.content!);
    for (const { token, logprob, top_logprobs } of content!) {
      // What is not left to chance is the most probable.
      expect(top_logprobs).toHaveLength(3);
      expect(top_logprobs[0]).toMatchObject({ token, logprob });
      expect(top_logprobs.reduce((sum, top) => sum + Math.exp(top.logprob), 0)).toBeLessThan(
        1.0001,
      );
    }
  });

  test('an evaluation harness scores continuations of a context', async () => {
    const score = async (prompt: string) => {
      const asked = { model: 'tiny', prompt, echo: true, logprobs: 1, max_tokens: 0 };
      const { choices } = await client.completions.create(asked);
      const { tokens, token_logprobs, top_logprobs, text_offset } = choices[0]!.logprobs!;
      expect(choices[0]!.text).toBe(prompt);
      expect(tokens!.join('')).toBe(prompt);
      expect(token_logprobs![0]).toBeNull();
      expect(top_logprobs!.slice(1).every((top) => Object.keys(top).length >= 1)).toBe(true);
      expect(text_offset![0]).toBe(0);
      return token_logprobs!.slice(1).reduce((sum, logprob) => sum + logprob!, 0);
    };
    const context = '<|im_start|>user\n12+34<|im_end|><|im_start|>assistant\n<think></think>';
    expect(await score(`${context}46`)).toBeGreaterThan(await score(`${context}91`));
  });

  test('of an answer are what scoring it again gives, at any temperature', async () => {
    const prompt = running.text.tokenizer.encode('<|im_start|>user\nHello<|im_end|>');
    for (const temperature of [1, 0.6]) {
      const sampling_params = { temperature, max_new_tokens: 40, sampling_seed: 3 };
      const said = await generate({ input_ids: prompt, sampling_params, return_logprob: true });
      const { output_ids, meta_info } = said;
      const scored = await generate({
        input_ids: [...prompt, ...output_ids],
        sampling_params: { max_new_tokens: 0, temperature: 1 },
        return_logprob: true,
        logprob_start_len: 0,
      });
      const again = scored.meta_info.input_token_logprobs.slice(-output_ids.length);
      expect(again.map(([, id]) => id)).toEqual(output_ids);
      const differences = meta_info.output_token_logprobs.map(([logprob], i) =>
        Math.abs(again[i]![0]! - logprob!),
      );
      // A prompt's attention sums otherwise than a step's, and with activations rounded to bytes the last
      // bit decides now and then how one is rounded, or to which expert a token goes.
      const mean = differences.reduce((sum, x) => sum + x, 0) / differences.length;
      expect(mean).toBeLessThan(0.1);
    }
  });
});

test('routed experts come for all tokens but the last, and in parts that fit together', async () => {
  const { config } = running.engine;
  const prompt = running.text.tokenizer.encode('<|im_start|>user\nHello<|im_end|>');
  const rows = async (from: number) => {
    const sampling_params = { temperature: 0, max_new_tokens: 12 };
    const routes = { return_routed_experts: true, routed_experts_start_len: from };
    const { output_ids, meta_info } = await generate({
      input_ids: prompt,
      sampling_params,
      ...routes,
    });
    const [count, layers, perToken] = meta_info.routed_experts_shape;
    expect(count).toBe(prompt.length + output_ids.length - 1 - from);
    expect(layers).toBe(config.layers.filter((l) => l.feedForward === 'experts').length);
    const bytes = Buffer.from(meta_info.routed_experts, 'base64');
    const flat = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
    expect(flat).toHaveLength(count * layers * perToken);
    for (let i = 0; i < flat.length; i += perToken) {
      const chosen = flat.subarray(i, i + perToken);
      expect(new Set(chosen).size).toBe(perToken);
      expect(chosen.every((expert) => expert >= 0 && expert < config.experts.count)).toBe(true);
    }
    return { flat: [...flat], width: layers * perToken };
  };
  const all = await rows(0);
  for (const from of [1, prompt.length - 1, prompt.length]) {
    expect((await rows(from)).flat).toEqual(all.flat.slice(from * all.width));
  }
});

test('penalties and biases change what is said', async () => {
  const said = async (options: object) => {
    const body = { ...ask('Hello'), temperature: 0, max_tokens: 40, ...options };
    return (await client.chat.completions.create(body)).choices[0]!.message.content!;
  };
  const usual = await said({});
  expect(await said({ repetition_penalty: 8 })).not.toBe(usual);
  const [first] = running.text.tokenizer.encode(usual);
  expect(await said({ logit_bias: { [first!]: -100 } })).not.toMatch(usual[0]!);
});

const Trip = z.object({
  city: z.enum(['Oslo', 'Rome', 'Bonn']),
  days: z.number().int().min(1).max(9),
  stops: z.array(z.object({ name: z.string().max(8), far: z.boolean() })).max(2),
  note: z.string().max(12).nullable(),
});

describe('answers that fit a schema', () => {
  // A hot model says anything, so that nothing but the grammar keeps it.
  const hot = { temperature: 2 };

  test('through the openai package, whole and streamed, drafted and thought about', async () => {
    for (const seed of [1, 2, 3]) {
      const body = { ...ask('A trip'), ...hot, max_tokens: 400, seed };
      const response_format = zodResponseFormat(Trip, 'trip');
      const { choices } = await client.chat.completions.parse({ ...body, response_format });
      expect(choices[0]!.finish_reason).toBe('stop');
      expect(Trip.parse(choices[0]!.message.parsed)).toEqual(choices[0]!.message.parsed);
      const stream = client.chat.completions.stream({ ...body, response_format });
      expect((await stream.finalChatCompletion()).choices[0]!.message.content).toBe(
        choices[0]!.message.content,
      );
    }
    const thinking = { reasoning_effort: 'high' as const, thinking_budget: 30 };
    const body = { ...ask('47+58'), ...thinking, temperature: 0, max_tokens: 600 };
    const format = { type: 'json_schema', json_schema: { name: 'n', schema: { type: 'integer' } } };
    const response = await client.chat.completions.create({
      ...body,
      response_format: format as never,
    });
    const { message } = response.choices[0]!;
    expect((message as { reasoning_content?: string }).reasoning_content).not.toBe('');
    expect(message.content).toMatch(/^-?\d+$/);
  });

  test('any JSON object, a pattern, a choice', async () => {
    const said = async (options: object) => {
      const body = { ...ask('Hello'), ...hot, max_tokens: 600, seed: 5, ...options };
      const [choice] = (await client.chat.completions.create(body as never)).choices;
      return { text: choice!.message.content!, reason: choice!.finish_reason };
    };
    const date = await said({ structured_outputs: { regex: '[12]\\d{3}-\\d\\d' } });
    expect(date).toEqual({ text: expect.stringMatching(/^[12]\d{3}-\d\d$/), reason: 'stop' });
    expect(['yes', '也许']).toContain(
      (await said({ structured_outputs: { choice: ['yes', '也许'] } })).text,
    );
    const object = await said({ response_format: { type: 'json_object' }, temperature: 1 });
    if (object.reason === 'stop') expect(JSON.parse(object.text)).toBeTypeOf('object');
    else expect(object.text).toMatch(/^\{/);
  });

  test('through /v1/responses, /v1/messages, /v1/completions, /generate and the ai package', async () => {
    const parsed = await client.responses.parse({
      model: 'tiny',
      input: 'A trip',
      ...hot,
      text: { format: zodTextFormat(Trip, 'trip') },
    });
    expect(Trip.safeParse(parsed.output_parsed).success).toBe(true);

    const schema = z.toJSONSchema(Trip) as Record<string, unknown>;
    const message = await anthropic.messages.create({
      model: 'tiny',
      max_tokens: 400,
      messages: messages('A trip'),
      output_config: { format: { type: 'json_schema', schema } },
    });
    const [block] = message.content;
    expect(Trip.safeParse(JSON.parse((block as Anthropic.TextBlock).text)).success).toBe(true);

    const completion = { model: 'tiny', prompt: 'A trip: ', max_tokens: 400, ...hot };
    const structured = { ...completion, structured_outputs: { json: schema } };
    const { choices } = await client.completions.create(structured as never);
    expect(Trip.safeParse(JSON.parse(choices[0]!.text)).success).toBe(true);

    const sampling_params = { regex: '[ab]{5}', max_new_tokens: 20 };
    const { output_ids } = await generate({ text: 'x', sampling_params });
    expect(running.text.tokenizer.decode(output_ids)).toMatch(/^[ab]{5}<\|im_end\|>$/);

    const provider = createOpenAICompatible({
      name: 'mimo',
      baseURL: `${running.server.url}/v1`,
      supportsStructuredOutputs: true,
    });
    const { output } = await generateText({
      model: provider('tiny'),
      prompt: 'A trip',
      output: Output.object({ schema: Trip }),
      maxRetries: 0,
    });
    expect(Trip.parse(output)).toEqual(output);
  });
});

describe('tool calls', () => {
  const Booking = z.strictObject({
    city: z.enum(['Oslo', 'Bonn']),
    days: z.number().int().min(1).max(9),
    far: z.boolean().optional(),
  });
  const { $schema: _, ...parameters } = z.toJSONSchema(Booking) as Record<string, unknown>;
  // With more, the list of tools would leave nothing of this model's context.
  const tools = [
    { type: 'function' as const, function: { name: 'book', strict: true, parameters } },
  ];

  test('that are required are made, and fit', async () => {
    const named = { type: 'function' as const, function: { name: 'book' } };
    for (const [i, tool_choice] of [named, 'required' as const, named].entries()) {
      const body = { ...ask('Hello'), tools, tool_choice, temperature: 1.5, seed: i };
      const { choices } = await client.chat.completions.create({
        ...body,
        parallel_tool_calls: false,
      });
      const { message, finish_reason } = choices[0]!;
      expect(finish_reason).toBe('tool_calls');
      expect(message.content ?? '').toBe('');
      expect(message.tool_calls).toHaveLength(1);
      const [call] = message.tool_calls as OpenAI.ChatCompletionMessageFunctionToolCall[];
      const input = JSON.parse(call!.function.arguments);
      expect(Booking.parse(input)).toEqual(input);
    }
  });

  test('are so in /v1/responses and /v1/messages', async () => {
    const response = await client.responses.create({
      model: 'tiny',
      input: 'Hello',
      tools: [{ type: 'function', name: 'book', strict: true, parameters }],
      tool_choice: { type: 'function', name: 'book' },
      parallel_tool_calls: false,
    });
    const call = response.output.find((item) => item.type === 'function_call')!;
    expect(Booking.safeParse(JSON.parse(call.arguments)).success).toBe(true);
    const message = await anthropic.messages.create({
      model: 'tiny',
      max_tokens: 500,
      messages: messages('Hello'),
      tools: [{ name: 'book', strict: true, input_schema: parameters as never }],
      tool_choice: { type: 'any', disable_parallel_tool_use: true },
    });
    expect(message.stop_reason).toBe('tool_use');
    const [block] = message.content as [Anthropic.ToolUseBlock];
    expect(Booking.safeParse(block.input).success).toBe(true);
  });
});
