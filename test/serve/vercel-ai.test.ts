import { createAnthropic } from '@ai-sdk/anthropic';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { APICallError, generateText, isStepCount, streamText, tool } from 'ai';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { startTestServer, type TestServer, text, until, writeCall } from './test-server.ts';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server.close());

const models = [
  {
    name: 'openai-compatible',
    model: () =>
      createOpenAICompatible({ name: 'mimo', baseURL: `${server.url}/v1`, includeUsage: true })(
        'mimo',
      ),
    thinking: { mimo: { reasoningEffort: 'high' } },
  },
  {
    name: 'anthropic',
    model: () => createAnthropic({ baseURL: `${server.url}/v1`, apiKey: 'none' })('mimo'),
    thinking: { anthropic: { thinking: { type: 'enabled', budgetTokens: 100 } } },
  },
];

const weather = tool({
  description: 'The weather of a city',
  inputSchema: z.object({ city: z.string(), days: z.number().int().optional() }),
  execute: async ({ city, days }) => `${city}: ${days ?? 1} × 20 °C`,
});

describe.each(models)('$name', ({ model, thinking }) => {
  const options = () => ({ model: model(), maxRetries: 0, maxOutputTokens: 500, prompt: 'Hi' });

  test('a text with thinking, streamed', async () => {
    server.says('<think>Let me see.</think>Hello, 你好 🙂', { pass: 2 });
    const result = streamText({ ...options(), providerOptions: thinking });
    let streamed = '';
    for await (const piece of result.textStream) streamed += piece;
    expect(streamed).toBe('Hello, 你好 🙂');
    expect(await result.reasoningText).toBe('Let me see.');
    expect(await result.finishReason).toBe('stop');
    expect((await result.usage).outputTokens).toBeGreaterThan(5);
  });

  test('tools in several turns', async () => {
    const turns = [
      `<think>Two.</think>I ask.${writeCall('weather', { city: 'Oslo', days: '2' })}${writeCall('weather', { city: 'Rome' })}`,
      `<think>More.</think>${writeCall('weather', { city: 'Bonn' })}`,
      '<think>Done.</think>Sunny.',
    ];
    for (const run of [generateText, streamText]) {
      let turn = 0;
      server.engine.script = () => ({ tokens: text.tokenizer.encode(turns[turn++]!), pass: 3 });
      const result = await run({
        ...options(),
        providerOptions: thinking,
        tools: { weather },
        stopWhen: isStepCount(5),
      });
      expect(await result.text).toBe('Sunny.');
      const steps = await result.steps;
      expect(steps.map(({ finishReason }) => finishReason)).toEqual([
        'tool-calls',
        'tool-calls',
        'stop',
      ]);
      expect(steps[0]!.toolResults.map(({ output }) => output)).toEqual([
        'Oslo: 2 × 20 °C',
        'Rome: 1 × 20 °C',
      ]);
      const prompt = server.lastPrompt();
      expect(prompt).toContain('<think>Two.</think>I ask.<tool_call>');
      expect(prompt).toContain('<tool_response>\nOslo: 2 × 20 °C\n</tool_response>');
      expect(prompt).toContain('<think>More.</think><tool_call>');
    }
  });

  test('an error has the message of the server', async () => {
    const asked = generateText({ ...options(), prompt: '啊'.repeat(2100) });
    await expect(asked).rejects.toThrow(/model's context is 2048 tokens/);
    const error = await asked.catch((error: unknown) => error);
    expect(APICallError.isInstance(error) && error.statusCode).toBe(400);
  });

  test('an abort ends the work', async () => {
    server.says('la '.repeat(500), { delay: 2 });
    const before = server.engine.ended;
    const controller = new AbortController();
    const result = streamText({ ...options(), abortSignal: controller.signal });
    let pieces = 0;
    for await (const _ of result.textStream) if (++pieces === 3) controller.abort();
    await until(() => server.engine.running === 0);
    expect(server.engine.ended).toBe(before + 1);
  });
});
