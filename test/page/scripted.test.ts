/** The page with an engine that says what a test wants: slow, hostile, or with calls of functions. */
import type { Browser, Page } from 'playwright';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { loadPage } from '../../src/serve/page.ts';
import { startTestServer, type TestServer, until, writeCall } from '../serve/test-server.ts';
import { ask, keptConversations, lastAnswer, openPage, startBrowser } from './open-page.ts';

let browser: Browser;
let server: TestServer;

beforeAll(async () => {
  browser = await startBrowser();
  server = await startTestServer({ page: await loadPage() });
});

afterAll(async () => {
  await browser.close();
  await server.close(0);
});

const sampling = { temperature: 0, topP: 1, maxTokens: null, thinking: false, system: '' };

test('an answer streams, is stopped in the middle, and made anew', async () => {
  const { page } = await openPage(browser, server.url, { sampling: { ...sampling, tools: '' } });
  const words = Array.from({ length: 200 }, (_, i) => `word${i}`).join(' ');
  server.says(words, { delay: 20 });
  const { ended } = server.engine;
  await page.locator('#message').fill('Speak');
  await page.keyboard.press('Enter');
  await page.locator('article').getByText('word3').waitFor();
  expect(await page.locator('article').getAttribute('aria-busy')).toBe('true');
  await page.locator('aside', { hasText: /In the batch1/ }).waitFor();
  await page.getByRole('button', { name: 'Stop' }).click();
  await page.getByText('Stopped.').waitFor();
  await until(() => server.engine.ended > ended);
  expect(await lastAnswer(page)).not.toContain('word199');
  server.says('All of it.');
  await page.getByRole('button', { name: 'Answer again' }).click();
  await page.locator('article').getByText('All of it.').waitFor();
  expect(await page.locator('article').count()).toBe(1);
  expect(await page.getByText('Stopped.').count()).toBe(0);
});

/** Asks for an answer that goes on and on, and leaves in its middle; → once the engine has stopped. */
async function leaveAnswer(page: Page, leave: () => Promise<unknown>): Promise<void> {
  server.says('and so on '.repeat(200), { delay: 20 });
  const { ended } = server.engine;
  await page.locator('#message').fill('Speak');
  await page.locator('#message').press('Enter');
  await page.locator('article').getByText('and so on and').waitFor();
  await leave();
  await until(() => server.engine.ended > ended);
}

test('a page that is left in the middle of an answer ends it, and keeps what there was', async () => {
  const { page } = await openPage(browser, server.url, { sampling: { ...sampling, tools: '' } });
  await leaveAnswer(page, () => page.reload());
  await page.locator('.conversations .entry').click();
  await page.getByText('Stopped.').waitFor();
  server.says('All of it.');
  await page.getByRole('button', { name: 'Answer again' }).click();
  await page.locator('article').getByText('All of it.').waitFor();
});

test('a conversation that is deleted in the middle of an answer does not come back', async () => {
  const { page } = await openPage(browser, server.url, { sampling: { ...sampling, tools: '' } });
  await leaveAnswer(page, () => page.getByRole('button', { name: 'Delete “Speak”' }).click());
  await page.getByText('is kept in this browser').waitFor();
  await expect.poll(() => keptConversations(page)).toBe(0);
  await page.reload();
  await page.locator('header').getByText('mimo', { exact: true }).waitFor();
  expect(await page.locator('.conversations .entry').count()).toBe(0);
});

test('what a model writes is shown as text and code, and never run', async () => {
  const { page, complaints } = await openPage(browser, server.url, {
    sampling: { ...sampling, tools: '' },
  });
  server.says(
    [
      '**Bold** <b>too</b><img src=x onerror="hacked=1"><script>hacked=2</script>',
      '[link](javascript:hacked=3) [good](https://example.org/)',
      '<a href="#" onclick="hacked=4" style="position:fixed">a</a>',
      '```python\nprint("<i>hi</i>")\n```',
    ].join('\n\n'),
  );
  await ask(page, 'Attack');
  const answer = page.locator('.markdown');
  expect(await answer.locator('strong').innerText()).toBe('Bold');
  expect(await answer.innerText()).toContain('<b>too</b><img src=x onerror="hacked=1">');
  expect(await answer.locator('pre').innerText()).toBe('print("<i>hi</i>")');
  expect(await answer.locator('pre .hljs-string').count()).toBe(1);
  expect(await answer.locator('img, script, [onclick], [style], [onerror]').count()).toBe(0);
  const links = await answer
    .locator('a[href]')
    .evaluateAll((all) => all.map((link) => [link.getAttribute('href'), link.getAttribute('rel')]));
  expect(links).toEqual([['https://example.org/', 'noopener noreferrer']]);
  expect(await page.evaluate(() => 'hacked' in globalThis)).toBe(false);
  expect(complaints).toEqual([]);
});

test('a call is shown, and the model goes on with the result that is given', async () => {
  const weather = {
    type: 'function',
    function: { name: 'weather', parameters: { properties: { city: { type: 'string' } } } },
  };
  const { page } = await openPage(browser, server.url, {
    sampling: { ...sampling, tools: JSON.stringify([weather]) },
  });
  server.says(writeCall('weather', { city: 'Paris' }));
  await ask(page, 'What is the weather?');
  const call = page.getByRole('region', { name: 'Calls weather' });
  expect(JSON.parse(await call.locator('pre').innerText())).toEqual({ city: 'Paris' });
  server.says('It rains.');
  await call.getByLabel('Result').fill('rain, 12°');
  await page.keyboard.press('Enter');
  await page.locator('article').getByText('It rains.').waitFor();
  expect(server.lastPrompt()).toContain('rain, 12°');
});

test('a call that is cut off is shown as far as it came, and nobody is asked for its result', async () => {
  const write = {
    type: 'function',
    function: { name: 'write', parameters: { properties: { text: { type: 'string' } } } },
  };
  const { page } = await openPage(browser, server.url, {
    sampling: { ...sampling, tools: JSON.stringify([write]) },
  });
  const call = writeCall('write', { text: 'Once upon a time' });
  server.says(call.slice(0, call.indexOf('</parameter>')));
  await ask(page, 'Write');
  const card = page.getByRole('region', { name: 'Calls write' });
  expect(await card.locator('pre').innerText()).toBe('{"text":"Once upon a time');
  expect(await card.getByLabel('Result').count()).toBe(0);
  server.says('Again.');
  expect(await ask(page, 'Go on')).toBe('Again.');
});

test('an error of the server is said in its words', async () => {
  const { page } = await openPage(browser, server.url, { sampling: { ...sampling, tools: '' } });
  server.says('x'.repeat(50), { failure: { after: 3, error: new Error('broken') } });
  await ask(page, 'Fail');
  await page.getByText(/Failed: the server failed on this request/).waitFor();
});

test('a server with keys asks for one, and takes it', async () => {
  const guarded = await startTestServer({ page: await loadPage(), apiKeys: ['secret'] });
  guarded.says('Welcome.');
  const { page } = await openPage(browser, guarded.url);
  await page.getByText('This server asks for an API key').waitFor();
  await page.getByRole('button', { name: 'Settings' }).click();
  await page.getByLabel('API key').fill('secret');
  await page.keyboard.press('Escape');
  await page.locator('header').getByText('mimo', { exact: true }).waitFor();
  expect(await ask(page, 'Hello')).toBe('Welcome.');
  await guarded.close(0);
});
