/** The short form of `bench/serve-load.ts`. */
import { expect, test } from 'vitest';
import { applyLoad } from './load.ts';
import { startServe } from './serve-process.ts';

test('streams under load are what they are alone, and the server ends cleanly', async () => {
  const server = await startServe(['--threads', '1', '--shutdown-timeout', '5']);
  try {
    const report = await applyLoad(server.url, { streams: 16, seconds: 4, seed: 1 });
    expect(report.mistakes).toEqual([]);
    expect(report.finished).toBeGreaterThan(16);
    expect(report.left).toBeGreaterThan(0);
    expect(report.refused).toBeGreaterThan(0);
    const page = await (await fetch(`${server.url}/metrics`)).text();
    expect(page).toMatch(/^mimoflash_requests_waiting 0$/m);
  } finally {
    expect(await server.end()).toBe(0);
  }
});

test('an answer in work is finished before the process ends', async () => {
  const server = await startServe(['--threads', '1'], { MIMOFLASH_API_KEY: 'k' });
  const response = await fetch(`${server.url}/v1/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-api-key': 'k' },
    body: JSON.stringify({ prompt: 'a', max_tokens: 300, temperature: 2, stream: true }),
  });
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  let said = (await reader.read()).value!;
  const ended = server.end();
  for (let part = await reader.read(); !part.done; part = await reader.read()) said += part.value;
  expect(said).toMatch(/data: \[DONE\]\n\n$/);
  expect(await ended).toBe(0);
});
