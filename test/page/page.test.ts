/** The page with the model that ships, from `mimoflash serve`. */
import type { Browser } from 'playwright';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ServeProcess, startServe } from '../serve/serve-process.ts';
import {
  ask,
  expectAccessible,
  keptConversations,
  lastAnswer,
  openPage,
  startBrowser,
} from './open-page.ts';

let browser: Browser;
let server: ServeProcess;

beforeAll(async () => {
  [browser, server] = await Promise.all([startBrowser(), startServe()]);
});

afterAll(async () => {
  await Promise.all([browser.close(), server.end()]);
});

describe('a chat with the server', () => {
  test('is answered, with the thoughts folded and every head’s tokens coloured', async () => {
    const { page, complaints } = await openPage(browser, server.url);
    expect(await ask(page, 'What is 47 + 58?')).toBe('105');
    const thoughts = page.locator('details.thoughts');
    expect(await thoughts.getAttribute('open')).toBeNull();
    await thoughts.locator('summary').click();
    expect(await thoughts.locator('div').innerText()).toContain('8+7=15');
    const coloured = await page.evaluate(() =>
      ['head-1', 'head-2', 'head-3'].map((name) => CSS.highlights.get(name)?.size ?? 0),
    );
    for (const count of coloured) expect(count).toBeGreaterThan(0);
    await page.getByLabel('Colour the tokens').uncheck();
    expect(await page.evaluate(() => CSS.highlights.get('head-1')!.size)).toBe(0);
    expect(complaints).toEqual([]);
  });

  test('has its figures beside it', async () => {
    const { page } = await openPage(browser, server.url);
    await ask(page, 'What is 47 + 58?');
    const figures = page.getByRole('complementary');
    const text = async () => (await figures.innerText()).replaceAll(/\s+/g, ' ');
    expect(await text()).toMatch(/[1-9][\d,]* tokens\/s/);
    expect(await text()).toMatch(/Head 1 [1-9]\d*%/);
    expect(await text()).toMatch(/this chat, \d+ tokens 1\.\d× smaller/);
    expect(await text()).toMatch(/at 33,792 tokens 8\.7× smaller/);
    expect(await text()).toMatch(/In the batch \d+ Waiting 0/);
  });

  test('goes on over several turns, and is found again after a reload', async () => {
    const { page } = await openPage(browser, server.url);
    await ask(page, 'Emma is 34. Ben is 71. Leo is 16. How old is Ben?');
    expect(await ask(page, 'How old is Leo?')).toBe('16');
    await page.getByRole('button', { name: 'New conversation' }).click();
    await ask(page, 'Who are you?');
    await page.reload();
    const list = page.getByRole('navigation', { name: 'Conversations' });
    await list.getByText('Emma').waitFor();
    expect(await list.locator('.entry').allInnerTexts()).toEqual([
      'Who are you?',
      'Emma is 34. Ben is 71. Leo is 16. How old is Ben?',
    ]);
    await list.getByRole('button', { name: /^Emma/ }).click();
    expect(await lastAnswer(page)).toBe('16');
    await list.getByRole('button', { name: 'Delete “Who are you?”' }).click();
    // The browser forgets in its own time, a few milliseconds later.
    await expect.poll(() => keptConversations(page)).toBe(1);
    await page.reload();
    await list.getByText('Emma').waitFor();
    expect(await list.locator('.entry').count()).toBe(1);
  });

  test('leaves the thinking out if asked to', async () => {
    const { page } = await openPage(browser, server.url);
    await page.getByRole('button', { name: 'Thinking' }).click();
    await ask(page, 'What is 4 + 5?');
    expect(await page.locator('details.thoughts').count()).toBe(0);
  });
});

describe('the model in the tab', () => {
  for (const [device, description] of [
    ['wasm', /^WebAssembly, .*SIMD, [2-9]\d* threads/],
    ['webgpu', /SwiftShader/i],
  ] as const) {
    test(`answers on ${device} when the server is gone`, async () => {
      const own = await startServe();
      const { page, complaints } = await openPage(browser, own.url, { 'tab-device': device });
      await page.getByText('This tab').click();
      await page.locator('header').getByText(description).waitFor();
      await own.end();
      expect(await ask(page, 'What is 47 + 58?')).toBe('105');
      expect(await page.getByRole('complementary').innerText()).toMatch(/Head 3\s+[1-9]\d*%/);
      expect(complaints).toEqual([]);
    });
  }
});

test('where there is no GPU, the tab says so, and takes WebAssembly by itself', async () => {
  const plain = await startBrowser(false);
  const { page } = await openPage(plain, server.url, { place: 'tab', 'tab-device': 'webgpu' });
  await page.getByText('does not run in this tab: this browser offers no GPU').waitFor();
  await page.getByRole('button', { name: 'Settings' }).click();
  await page.getByLabel('In the tab, run on').selectOption('auto');
  await page.keyboard.press('Escape');
  await page.locator('header').getByText('WebAssembly').waitFor();
  expect(await ask(page, 'What is 3 + 4?')).toBe('7');
  await plain.close();
});

describe('anyone', () => {
  test('can use it with the keyboard alone', async () => {
    const { page } = await openPage(browser, server.url);
    await page.locator('header').getByText('mimoflash-25m').waitFor();
    await page.keyboard.type('What is 3 + 4?');
    await page.keyboard.press('Enter');
    expect(await lastAnswer(page)).toBe('7');
    await page.getByRole('status').getByText('Answer: 7').waitFor({ state: 'attached' });
    await page.keyboard.press('Shift+Tab');
    expect(await page.evaluate(() => document.activeElement!.ariaLabel)).toBe('Answer again');
    await page.keyboard.press('Enter');
    expect(await lastAnswer(page)).toBe('7');
    await page.getByRole('radio', { name: 'Server' }).focus();
    await page.keyboard.press('ArrowRight');
    expect(await page.getByRole('radio', { name: 'This tab' }).isChecked()).toBe(true);
  });

  test('can use it on a phone, where the sides cover the chat', async () => {
    const { page } = await openPage(browser, server.url);
    await page.setViewportSize({ width: 390, height: 780 });
    await page.getByRole('navigation').waitFor({ state: 'detached' });
    expect(await ask(page, 'What is 47 + 58?')).toBe('105');
    const width = () => page.evaluate(() => document.documentElement.scrollWidth);
    expect(await width()).toBe(390);
    await page.getByRole('button', { name: 'What is happening' }).click();
    await page.getByRole('complementary').waitFor();
    await page.getByRole('button', { name: 'Conversations' }).click();
    expect(await page.getByRole('complementary').count()).toBe(0);
    await expectAccessible(page);
    await page.getByRole('button', { name: 'New conversation', exact: true }).click();
    expect(await page.getByRole('navigation').count()).toBe(0);
    expect(await width()).toBe(390);
  });

  test('finds nothing in the way, light or dark, in English or Chinese', async () => {
    const { page, complaints } = await openPage(browser, server.url);
    await page.locator('header').getByText('mimoflash-25m').waitFor();
    await expectAccessible(page);
    await ask(page, 'What is 47 + 58?');
    await expectAccessible(page);
    await page.getByRole('button', { name: 'Settings' }).click();
    await expectAccessible(page);
    await page.getByLabel('Appearance').selectOption('dark');
    const paper = () =>
      page.evaluate(() => getComputedStyle(document.body.parentElement!).backgroundColor);
    expect(await paper()).toBe('rgb(23, 24, 22)');
    await expectAccessible(page);
    await page.getByLabel('Language').selectOption('zh');
    await page.getByRole('heading', { name: '设置' }).waitFor();
    await page.getByRole('button', { name: '关闭' }).click();
    expect(await page.evaluate(() => document.documentElement.lang)).toBe('zh-CN');
    await expectAccessible(page);
    await page.reload();
    await page.getByRole('button', { name: '新对话' }).waitFor();
    expect(await paper()).toBe('rgb(23, 24, 22)');
    expect(complaints).toEqual([]);
  });
});
