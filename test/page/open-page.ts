/** A browser with the page in it, watched for what must never happen. */
import axe from 'axe-core';
import { type Browser, chromium, type Page } from 'playwright';
import { expect } from 'vitest';
import { chromiumArguments, findChromium } from '../browser/chromium.ts';

/** @param withGpu whether it is to have a GPU, which the CPU plays. */
export function startBrowser(withGpu = true): Promise<Browser> {
  const args = chromiumArguments.filter((argument) => withGpu || !argument.includes('webgpu'));
  return chromium.launch({ executablePath: findChromium(), args });
}

export interface OpenPage {
  page: Page;
  /** Errors of scripts and of the page's policy, and requests to elsewhere. */
  complaints: string[];
}

/** What a person had chosen earlier: the most probable tokens, so that answers are always the same. */
const choices = {
  language: 'en',
  sampling: { temperature: 0, topP: 1, maxTokens: null, thinking: true, system: '', tools: '' },
};

/** @param chosen further choices, by the name that they are kept under. */
export async function openPage(
  browser: Browser,
  url: string,
  chosen: Record<string, unknown> = {},
): Promise<OpenPage> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
  await context.grantPermissions(['clipboard-read', 'clipboard-write']);
  await context.addInitScript(
    (all) => {
      for (const [name, value] of Object.entries(all)) {
        const key = `mimoflash.${name}`;
        if (localStorage.getItem(key) === null) localStorage.setItem(key, JSON.stringify(value));
      }
    },
    { ...choices, ...chosen },
  );
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('console', (message) => {
    if (message.type() === 'error') complaints.push(message.text());
  });
  page.on('request', (request) => {
    if (new URL(request.url()).origin !== url) complaints.push(`asked ${request.url()}`);
  });
  await page.goto(url);
  return { page, complaints };
}

/** Says something and waits for the whole answer; → its text. */
export async function ask(page: Page, question: string): Promise<string> {
  await page.locator('#message').fill(question);
  await page.locator('#message').press('Enter');
  await page.locator('.user').last().getByText(question).waitFor();
  return lastAnswer(page);
}

/** The text of the last answer, once it is whole. */
export async function lastAnswer(page: Page): Promise<string> {
  const answer = page.locator('article[aria-busy="false"]').last();
  await page.getByRole('button', { name: 'Answer again' }).waitFor();
  return (await answer.locator('.markdown').innerText()).trim();
}

/** How many conversations the browser keeps by now. */
export function keptConversations(page: Page): Promise<number> {
  return page.evaluate(
    () =>
      new Promise<number>((resolve, reject) => {
        const opening = indexedDB.open('mimoflash');
        opening.onerror = () => reject(opening.error);
        opening.onsuccess = () => {
          const database = opening.result;
          const counting = database
            .transaction('conversations')
            .objectStore('conversations')
            .count();
          counting.onsuccess = () => resolve(counting.result);
          counting.onerror = () => reject(counting.error);
          counting.transaction!.oncomplete = () => database.close();
        };
      }),
  );
}

/** Expects nothing that axe knows to keep people out. */
export async function expectAccessible(page: Page): Promise<void> {
  // As the browser's tools do it: the page's own policy would not let the library in.
  await page.evaluate(axe.source);
  const { violations } = await page.evaluate(() =>
    (globalThis as unknown as { axe: typeof axe }).axe.run(document, {
      runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
    }),
  );
  expect(
    violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`),
  ).toEqual([]);
}
