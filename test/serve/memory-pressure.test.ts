/**
 * The server with memory for the caches of two or three of its requests at a time: the others wait or
 * give theirs back and begin anew, of which no client sees anything but the time, not even in the last
 * bit of a log-probability.
 */
import OpenAI from 'openai';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type RealServer, startRealServer } from './real-server.ts';
import { until } from './test-server.ts';

let running: RealServer;
let client: OpenAI;

beforeAll(async () => {
  running = await startRealServer({ cacheTokens: 640 });
  client = new OpenAI({ baseURL: `${running.server.url}/v1`, apiKey: 'none', maxRetries: 0 });
});
afterAll(() => running.close());

/** Requests that each grow to more than 200 tokens, and use what has a state of its own. */
const bodies = Array.from({ length: 12 }, (_, i) => ({
  model: 'tiny',
  prompt: `${i} and ${i + 1} make `,
  max_tokens: 200,
  ignore_eos: true,
  temperature: i % 3 === 0 ? 0 : 1.5,
  seed: i,
  ...(i % 4 === 1 && { frequency_penalty: 0.5 }),
  ...(i % 4 === 2 && { structured_outputs: { regex: '([a-z]{2,5} ){40,60}' }, ignore_eos: false }),
  ...(i % 4 !== 2 && { logprobs: 2 }),
}));

async function answerTo(body: (typeof bodies)[number]) {
  let text = '';
  const logprobs: number[] = [];
  const asked = { ...body, stream: true as const, stream_options: { include_usage: true } };
  let tokens = 0;
  for await (const { choices, usage } of await client.completions.create(asked)) {
    text += choices[0]?.text ?? '';
    logprobs.push(...((choices[0]?.logprobs?.token_logprobs ?? []) as number[]));
    tokens = usage?.completion_tokens ?? tokens;
  }
  return { text, tokens, logprobs };
}

test('streams are what they are alone, though some lose their memory in the middle', async () => {
  const alone: Awaited<ReturnType<typeof answerTo>>[] = [];
  for (const body of bodies) alone.push(await answerTo(body));
  expect(running.engine.figures().preemptions).toBe(0);

  const leaving = new AbortController();
  const left = client.completions.create(
    { ...bodies[0]!, prompt: 'x', max_tokens: 500 },
    { signal: leaving.signal },
  );
  const together = Promise.all(bodies.map(answerTo));
  await until(() => running.engine.figures().preemptions > 0);
  leaving.abort();
  await expect(left).rejects.toThrow(OpenAI.APIUserAbortError);

  for (const [i, answer] of (await together).entries()) {
    expect(answer, JSON.stringify(bodies[i])).toEqual(alone[i]);
  }
  const metrics = await (await fetch(`${running.server.url}/metrics`)).text();
  expect(metrics).toMatch(/^mimoflash_preemptions_total [1-9]/m);
  await until(() => running.engine.figures().cachePages.used === 0);
});
