/** What all routes share: who is let in, how much, for how long, and how it ends. */
import { request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { UserError } from '../../src/errors.ts';
import type { ServerOptions } from '../../src/serve/server.ts';
import { ChatTemplate } from '../../src/text/chat-template.ts';
import { modelName, startTestServer, type TestServer, text, until } from './test-server.ts';

let server: TestServer;
const start = async (options: Partial<ServerOptions> = {}) => {
  server = await startTestServer(options);
  return server;
};
afterEach(() => server.close(0));

const chat = { messages: [{ role: 'user', content: 'Hi' }] };
const completions = '/v1/chat/completions';

describe('who is let in', () => {
  test('with keys, only those who have one; but anyone may ask for its health', async () => {
    await start({ apiKeys: ['secret', 'other'] });
    server.says('ok');
    expect((await server.request('/health')).status).toBe(200);
    const refused = await server.request(completions, chat);
    expect(refused.status).toBe(401);
    expect(await refused.json()).toMatchObject({ error: { code: 'invalid_api_key' } });
    for (const path of ['/metrics', '/v1/models', '/server_info']) {
      expect((await server.request(path)).status).toBe(401);
    }
    const as = (headers: Record<string, string>) => server.request(completions, chat, { headers });
    expect((await as({ authorization: 'Bearer wrong' })).status).toBe(401);
    expect((await as({ authorization: 'Bearer secret' })).status).toBe(200);
    expect((await as({ 'x-api-key': 'other' })).status).toBe(200);
    const anthropic = await server.request('/v1/messages', chat);
    expect(await anthropic.json()).toMatchObject({
      type: 'error',
      error: { type: 'authentication_error' },
    });
  });

  test('it answers to the address that it was bound to', async () => {
    await start({ host: '127.0.0.2' });
    expect(new URL(server.url).hostname).toBe('127.0.0.2');
    expect((await server.request('/v1/models')).status).toBe(200);
  });

  test('bound to this machine, no page that a browser was lured to', async () => {
    await start();
    server.says('ok');
    const statusAs = (headers: Record<string, string>) =>
      new Promise<number>((resolve) => {
        const { port } = server;
        httpRequest({ port, path: '/v1/models', headers }, (response) => {
          response.resume();
          resolve(response.statusCode!);
        }).end();
      });
    expect(await statusAs({ host: 'evil.example' })).toBe(403);
    expect(await statusAs({ host: `localhost:${server.port}` })).toBe(200);
    // A form of another site can send this without asking first.
    const headers = { 'content-type': 'text/plain' };
    expect((await server.request(completions, chat, { headers })).status).toBe(415);
  });
});

describe('how much', () => {
  test('a full queue says when to come again', async () => {
    await start({ maxRequests: 2 });
    server.says('la '.repeat(50), { delay: 2 });
    const inside = [server.request(completions, chat), server.request(completions, chat)];
    await until(() => server.engine.running === 2);
    const refused = await server.request(completions, chat);
    expect(refused.status).toBe(429);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
    expect(await refused.json()).toMatchObject({ error: { code: 'queue_full' } });
    expect(
      (await server.request('/v1/messages', { ...chat, model: 'mimo', max_tokens: 5 })).status,
    ).toBe(429);
    for (const answer of inside) expect((await answer).status).toBe(200);
    expect((await server.request(completions, chat)).status).toBe(200);
  });

  test('what could never get in is told so', async () => {
    await start({ maxRequests: 2 });
    const response = await server.request(completions, { ...chat, n: 3 });
    expect(response.status).toBe(400);
    expect(await response.text()).toMatch(/asks for 3 answers at once; this server takes 2/);
  });

  test('a place is given back however a request ends', async () => {
    await start({ maxRequests: 1 });
    server.says('la '.repeat(300), { delay: 1 });
    const controller = new AbortController();
    const streamed = await server.request(
      completions,
      { ...chat, stream: true },
      { signal: controller.signal },
    );
    await streamed.body!.getReader().read();
    controller.abort();
    await until(() => server.engine.running === 0);
    server.says('ok');
    expect((await server.request(completions, { ...chat, model: 'other' })).status).toBe(404);
    expect((await server.request(completions, chat)).status).toBe(200);
  });

  test('a body beyond the limit, announced or not', async () => {
    await start({ bodyBytes: 1000 });
    const large = { messages: [{ role: 'user', content: 'x'.repeat(2000) }] };
    const announced = await server.request(completions, large);
    expect(announced.status).toBe(413);
    expect(await announced.json()).toMatchObject({ error: { type: 'invalid_request_error' } });
    const body = new Blob([JSON.stringify(large)]).stream();
    const init = { method: 'POST', body, duplex: 'half' } as RequestInit;
    expect((await server.request('/v1/messages', undefined, init)).status).toBe(413);
  });

  test.each([
    ['[['.repeat(60) + ']]'.repeat(60), /nested deeper than/],
    ['['.repeat(1_000_000), /not JSON/],
    [`{"a":${'{"a":'.repeat(200)}1${'}'.repeat(200)}}`, /nested deeper/],
    ['', /not JSON/],
    ['nul', /not JSON/],
    ['null', /the body/],
    ['[]', /the body/],
  ])('a body that is none: %.20s', async (body, message) => {
    await start();
    const response = await server.request(completions, body);
    expect(response.status).toBe(400);
    expect(await response.text()).toMatch(message);
  });
});

describe('how long', () => {
  test('a request beyond the time limit ends', async () => {
    await start({ requestSeconds: 0.05 });
    server.says('la '.repeat(300), { delay: 2 });
    const whole = await server.request(completions, chat);
    expect(whole.status).toBe(504);
    expect(await whole.text()).toMatch(/took longer than 0.05 s/);
    const streamed = await server.request(completions, { ...chat, stream: true });
    expect(await streamed.text()).toMatch(/"content":" l".*took longer than 0.05 s/s);
    expect(server.engine.running).toBe(0);
  });
});

test.each([
  'content-length: 1000',
  'transfer-encoding: chunked',
])('a client that leaves in the middle of its request is no error of ours (%s)', async (header) => {
  await start();
  const log = vi.spyOn(console, 'error').mockReturnValue();
  const socket = connect(server.port, '127.0.0.1');
  const lines = [`POST ${completions} HTTP/1.1`, 'host: localhost', header];
  socket.write(`${lines.join('\r\n')}\r\ncontent-type: application/json\r\n\r\n5\r\n{"mes`);
  await new Promise((resolve) => setTimeout(resolve, 50));
  socket.destroy();
  const page = async () => (await server.request('/metrics')).text();
  while (!/route="\/v1\/chat\/completions",status="503"\} 1/.test(await page()));
  expect(log.mock.calls).toEqual([]);
  log.mockRestore();
});

test('a client that stops reading keeps its place no longer than the limit', async () => {
  await start({ maxRequests: 1, requestSeconds: 0.5 });
  // More than the buffers on the way hold.
  server.says('la '.repeat(900));
  const body = JSON.stringify({ ...chat, stream: true, logprobs: true, top_logprobs: 20 });
  const socket = connect(server.port, '127.0.0.1').pause();
  socket.write(
    `POST ${completions} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
  );
  await until(() => server.engine.running === 1);
  expect((await server.request(completions, chat)).status).toBe(429);
  await new Promise((resolve) => setTimeout(resolve, 600));
  server.says('ok');
  expect((await server.request(completions, chat)).status).toBe(200);
  socket.destroy();
  await until(() => server.engine.running === 0);
});

test('a stream in which nothing happens says that it is still there', async () => {
  await start({ heartbeatSeconds: 0.02 });
  server.says('a b', { delay: 70 });
  const response = await server.request(completions, { ...chat, stream: true });
  const said = await response.text();
  expect(said.match(/^: still here$/gm)!.length).toBeGreaterThanOrEqual(3);
  expect(said.match(/"content":"[^"]+"/g)!.join()).toContain('"content":"a"');
  expect(said).toMatch(/data: \[DONE\]\n\n$/);
});

describe('how it ends', () => {
  test('requests in work are finished, new ones refused', async () => {
    await start();
    server.says('la '.repeat(30), { delay: 3 });
    const answer = server.request(completions, chat);
    await until(() => server.engine.running === 1);
    // A connection that is open when the shutdown begins.
    const socket = connect(server.port, '127.0.0.1');
    socket.write(`GET /health HTTP/1.1\r\nhost: localhost\r\n`);
    await new Promise((resolve) => setTimeout(resolve, 20));
    const closed = server.close(10);
    socket.write('\r\n');
    const health = await new Promise((resolve) =>
      socket.once('data', (data) => resolve(`${data}`)),
    );
    expect(health).toMatch(/^HTTP\/1\.1 503/);
    expect((await answer).status).toBe(200);
    await closed;
    await expect(fetch(`${server.url}/health`)).rejects.toThrow();
  });

  test('what takes too long is ended with an error', async () => {
    await start();
    server.says('la '.repeat(600), { delay: 5 });
    const streamed = await server.request(completions, { ...chat, stream: true });
    const whole = server.request(completions, chat);
    await until(() => server.engine.running === 2);
    await server.close(0.05);
    expect(await streamed.text()).toMatch(/"content":" l".*shutting down/s);
    expect((await whole).status).toBe(503);
    expect(server.engine.running).toBe(0);
  });

  test('a client that stays connected does not hold it up', async () => {
    await start();
    const socket = connect(server.port, '127.0.0.1');
    await new Promise((resolve) => socket.once('connect', resolve));
    socket.on('error', () => undefined);
    await server.close(1);
    socket.destroy();
  });
});

test('what the engine has no room for is its trouble, not the client’s', async () => {
  await start();
  const error = new UserError('there is no memory left');
  server.says('a b', { failure: { after: 1, error } });
  const response = await server.request(completions, chat);
  expect(response.status).toBe(503);
  expect(response.headers.get('retry-after')).toBe('5');
  expect(await response.text()).toMatch(/there is no memory left/);
});

test('what a template does not take names the messages, and no file', async () => {
  const template = "{{ raise_exception('roles must alternate') }}";
  const chatTemplate = new ChatTemplate(template, '/home/someone/chat_template.jinja');
  await start({ text: { ...text, chatTemplate } });
  const response = await server.request(completions, chat);
  expect(response.status).toBe(400);
  const { error } = (await response.json()) as { error: { param: string; message: string } };
  expect(error.param).toBe('messages');
  expect(error.message).toMatch(/the chat template does not take them: roles must alternate/i);
  expect(error.message).not.toContain('someone');
});

test('a request has an id, its own or a new one, in its headers, its errors and the log', async () => {
  await start();
  const log = vi.spyOn(console, 'error').mockReturnValue();
  server.says('one two', { failure: { after: 1, error: new Error('broke') } });
  const asked = { ...chat, model: modelName, max_tokens: 5 };
  const own = { headers: { 'x-request-id': 'trace-7' } };
  const failed = await server.request('/v1/messages', asked, own);
  expect(failed.headers.get('request-id')).toBe('trace-7');
  expect(await failed.json()).toMatchObject({ type: 'error', request_id: 'trace-7' });
  expect(log).toHaveBeenLastCalledWith('request trace-7:', expect.any(Error));
  log.mockRestore();
  const streamed = await server.request(completions, { ...chat, stream: true });
  await streamed.body?.cancel();
  const { headers } = await server.request('/health');
  expect(streamed.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
  expect(headers.get('x-request-id')).not.toBe(streamed.headers.get('x-request-id'));
});

describe('routes', () => {
  test('that are not there', async () => {
    await start();
    const missing = await server.request('/v1/nothing');
    expect(missing.status).toBe(404);
    expect(await missing.json()).toMatchObject({
      error: { message: 'there is no GET /v1/nothing' },
    });
    const wrong = await server.request(completions);
    expect(wrong.status).toBe(405);
    expect(await wrong.text()).toMatch(/takes POST only/);
    expect(wrong.headers.get('allow')).toBe('POST');
  });

  test('a port in use is one line', async () => {
    await start();
    await expect(startTestServer({ port: server.port })).rejects.toThrow(
      /^127\.0\.0\.1:\d+: is in use; choose another port with --port$/,
    );
  });

  test('metrics in the form that Prometheus reads', async () => {
    await start();
    server.says('one two three', { delay: 1 });
    await server.request(completions, chat);
    await server.request(completions, { ...chat, max_tokens: 2 });
    await server.request(completions, {});
    await server.request('/nothing');
    const response = await server.request('/metrics');
    expect(response.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/);
    const page = await response.text();
    for (const line of page.trimEnd().split('\n')) {
      expect(line).toMatch(
        /^# (HELP|TYPE) (mimoflash|process)_\w+ .+$|^(mimoflash|process)_\w+(\{\w+="[^"]*"(,\w+="[^"]*")*\})? [\d.e+-]+$/,
      );
    }
    for (const line of [
      'mimoflash_requests_running 0',
      'mimoflash_cache_bytes{kind="sliding"} 512',
      'mimoflash_http_responses_total{route="/v1/chat/completions",status="400"} 1',
      'mimoflash_http_responses_total{route="other",status="404"} 1',
      'mimoflash_answers_total{reason="stop"} 1',
      'mimoflash_answers_total{reason="length"} 1',
      'mimoflash_time_to_first_token_seconds_count 2',
      'mimoflash_time_per_token_seconds_bucket{le="+Inf"} 2',
      'mimoflash_drafted_tokens_total{head="0"} 10',
      'mimoflash_accepted_tokens_total{head="1"} 4',
      'mimoflash_acceptance_length 2.2',
      'mimoflash_cache_pages_used 3',
    ]) {
      expect(page).toContain(`${line}\n`);
    }
  });

  test('what a page about the server shows', async () => {
    await start();
    expect(await (await server.request('/server_info')).json()).toMatchObject({
      model: 'mimo',
      weight_version: 'v0',
      max_model_len: 2048,
      requests: 0,
      engine: { running: 0, waiting: 0, drafting: { drafted: [10, 10] } },
    });
  });
});
