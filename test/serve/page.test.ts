/** The page and the model's files over HTTP; `test/page` has what the page then does. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openHttpFolder } from '../../src/checkpoint/http-folder.ts';
import { loadOpenModel } from '../../src/checkpoint/load-open-model.ts';
import { openFolder } from '../../src/checkpoint/open-folder.ts';
import { createReferenceDevice } from '../../src/device/reference/device.ts';
import { releaseModel } from '../../src/model/weights.ts';
import { shippedModel } from '../../src/shipped-model.ts';
import { startTestServer, type TestServer } from './test-server.ts';

const index = { bytes: new TextEncoder().encode('<p>here</p>'), type: 'text/html; charset=utf-8' };
let server: TestServer;

beforeAll(async () => {
  server = await startTestServer({ page: new Map([['/', index]]), apiKeys: ['secret'] });
});

afterAll(() => server.close(0));

test('the page comes without a key, allows nothing from elsewhere, and may share memory', async () => {
  const response = await server.request('/');
  expect(await response.text()).toBe('<p>here</p>');
  const headers = Object.fromEntries(response.headers);
  expect(headers['content-security-policy']).toContain("default-src 'none'; script-src 'self'");
  expect(headers['content-security-policy']).not.toContain('unsafe-inline');
  expect(headers).toMatchObject({
    'content-type': 'text/html; charset=utf-8',
    'cross-origin-opener-policy': 'same-origin',
    'cross-origin-embedder-policy': 'require-corp',
    'x-content-type-options': 'nosniff',
  });
});

test('a model is loaded from the server as it is from disk', async () => {
  let loaded = 0;
  const folder = await openHttpFolder(new URL('/model/', server.url), {
    headers: { 'x-api-key': 'secret' },
    progress: (bytes) => {
      loaded = bytes;
    },
  });
  expect(folder.model).toBe('mimo');
  const checkpoint = await openFolder(folder);
  expect(loaded).toBeGreaterThan(6e6);
  const model = await loadOpenModel(createReferenceDevice(), checkpoint);
  expect(model.config.mtpHeads).toBe(3);
  releaseModel(model);
});

test('its files are for those with a key, and nothing else is given', async () => {
  const get = (path: string) =>
    server.request(path, undefined, { headers: { 'x-api-key': 'secret' } });
  expect((await server.request('/model/config.json')).status).toBe(401);
  const config = await get('/model/config.json');
  expect(await config.text()).toBe(await readFile(join(shippedModel, 'config.json'), 'utf8'));
  for (const path of [
    'README.md',
    '..%2Fmimoflash-25m%2Fconfig.json',
    'other.safetensors',
    '%00',
  ]) {
    expect((await get(`/model/${path}`)).status, path).toBe(404);
  }
  await expect(openHttpFolder(new URL('/nowhere/', server.url))).rejects.toThrow('status 401');
});
