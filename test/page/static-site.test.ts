/** The page on a static site: no server of ours, and none of its headers, so one thread. */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Browser } from 'playwright';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ask, openPage, startBrowser } from './open-page.ts';

const script = fileURLToPath(new URL('../../scripts/static-page.js', import.meta.url));
const types: Record<string, string> = { '.html': 'text/html', '.js': 'text/javascript' };
let browser: Browser;
let folder: string;
let site: Server;

beforeAll(async () => {
  browser = await startBrowser();
  folder = await mkdtemp(join(tmpdir(), 'mimoflash-site-'));
  execFileSync(process.execPath, [script, join(folder, 'site')]);
  site = createServer(async (request, response) => {
    const path = new URL(request.url!, 'http://site').pathname;
    const name = path === '/' ? 'index.html' : path;
    const bytes = await readFile(join(folder, 'site', name)).catch(() => null);
    const type = types[extname(name)] ?? 'application/octet-stream';
    response.writeHead(bytes === null ? 404 : 200, { 'content-type': type }).end(bytes);
  });
  site.listen(0, '127.0.0.1');
  await once(site, 'listening');
});

afterAll(async () => {
  await browser.close();
  site.close();
  await rm(folder, { recursive: true, force: true });
});

test('runs the model in the tab by itself', async () => {
  const url = `http://127.0.0.1:${(site.address() as AddressInfo).port}`;
  const { page } = await openPage(browser, url, { 'tab-device': 'wasm' });
  await page
    .locator('header')
    .getByText(/WebAssembly, .*SIMD, 1 thread$/)
    .waitFor();
  expect(await page.getByRole('radio', { name: 'This tab' }).isChecked()).toBe(true);
  expect(await ask(page, 'What is 47 + 58?')).toBe('105');
});
