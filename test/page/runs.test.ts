/** The page of training runs, over files that grow as those of a run do. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { loadPage } from '../../src/serve/page.ts';
import { startTestServer, type TestServer } from '../serve/test-server.ts';
import { expectAccessible, type OpenPage, openPage, startBrowser } from './open-page.ts';
import { evaluation, policy, start, steps, warning, writeRun } from './run-files.ts';

let browser: Browser;
let folder: string;
let server: TestServer;

beforeAll(async () => {
  browser = await startBrowser(false);
});

afterAll(() => browser.close());

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mimoflash-runs-'));
  server = await startTestServer({ page: await loadPage(), runs: folder });
  return async () => {
    await server.close(0);
    await rm(folder, { recursive: true });
  };
});

async function openRuns(chosen: Record<string, unknown> = {}): Promise<OpenPage> {
  const opened = await openPage(browser, server.url, chosen);
  await opened.page.getByRole('link', { name: 'Training' }).click();
  await opened.page.getByRole('heading', { name: 'Training runs' }).waitFor();
  return opened;
}

/** Values as they are written, not smoothed. */
const exact = {
  curves: {
    axis: 'steps',
    isEndToEnd: false,
    isSmooth: false,
    isLogarithmic: true,
    asTables: false,
  },
};
const lossPanel = (page: Page) => page.locator('article').filter({ hasText: /^Loss next token/ });
/** The names in a legend with their values. */
const legend = async (page: Page, title: RegExp) => {
  const entries = page.locator('article').filter({ hasText: title }).locator('.legend li');
  return (await entries.allInnerTexts()).map((text) => text.replaceAll(/\s+/g, ' '));
};
const entry = (page: Page, run: string) => page.locator('.run-list li').filter({ hasText: run });
const entryText = async (page: Page, run: string) =>
  (await entry(page, run).innerText()).replaceAll(/\s+/g, ' ');

/** How many points of a picture have a colour, one that is not grey. */
function colouredPoints(page: Page, title: RegExp): Promise<number> {
  const layers = page.locator('article').filter({ hasText: title }).locator('canvas');
  return layers.evaluateAll((canvases) => {
    let count = 0;
    for (const canvas of canvases as HTMLCanvasElement[]) {
      const { width, height } = canvas;
      const { data } = canvas.getContext('2d')!.getImageData(0, 0, width, height);
      for (let i = 0; i < data.length; i += 4) {
        const [red, green, blue, alpha] = [data[i]!, data[i + 1]!, data[i + 2]!, data[i + 3]!];
        const isGrey = Math.max(red, green, blue) - Math.min(red, green, blue) < 60;
        if (alpha > 128 && !isGrey) count++;
      }
    }
    return count;
  });
}

test('a chat loads nothing of it; its link leads to the runs, and back', async () => {
  await writeRun(folder, 'a', start(20), steps(1, 5));
  const { page, complaints } = await openPage(browser, server.url);
  const loaded: string[] = [];
  page.on('request', (request) => loaded.push(new URL(request.url()).pathname));
  await page.locator('header').getByText('mimo', { exact: true }).waitFor();
  expect(loaded.filter((path) => /echarts|runs/.test(path))).toEqual([]);
  await page.getByRole('link', { name: 'Training' }).click();
  await lossPanel(page).locator('canvas').waitFor();
  expect(loaded.some((path) => path.includes('echarts'))).toBe(true);
  expect(await page.title()).toBe('Training runs · mimoflash');
  await page.getByRole('link', { name: 'Chat' }).click();
  await page.locator('#message').waitFor();
  expect(complaints).toEqual([]);
});

test('runs are listed as they stand, and one that runs is drawn by itself', async () => {
  await writeRun(folder, 'done', start(5), steps(1, 5));
  await writeRun(folder, 'live', start(20), steps(1, 10), evaluation(10, 12.5));
  const { page, complaints } = await openRuns(exact);
  await lossPanel(page).locator('canvas').waitFor();
  expect(await entryText(page, 'live')).toBe(
    'live running step 10 of 20 2K tokens/s 5 sec left loss 29.3 held out 12.5',
  );
  expect(await entryText(page, 'done')).toContain('finished step 5 of 5');
  expect(await entry(page, 'live').getByRole('checkbox').isChecked()).toBe(true);
  expect(await entry(page, 'done').getByRole('checkbox').isChecked()).toBe(false);
  expect(await legend(page, /^Loss next/)).toEqual(['live 10']);
  expect(await legend(page, /^MTP losses/)).toEqual(['head 1 11', 'head 2 12']);
  expect(await legend(page, /^Loss by family/)).toEqual(['code 9', 'shell 9.5']);
  expect(await legend(page, /^num-zeros by layer/)).toEqual(['layer 0 1%', 'layer 1 9%']);
  expect(await legend(page, /^Gradient norm/)).toEqual(['live 0.1']);
  expect(await legend(page, /^Tokens a second/)).toEqual(['live 2K']);
  await expect.poll(() => colouredPoints(page, /^Loss next/)).toBeGreaterThan(100);
  await expect.poll(() => colouredPoints(page, /^num-zeros by expert/)).toBeGreaterThan(100);
  const label = await lossPanel(page).getByRole('img').getAttribute('aria-label');
  expect(label).toBe('Loss, next token, nats; dots: held out. live: 10');
  expect(complaints).toEqual([]);
});

test('what a run writes appears while it goes on, and only that is asked for', async () => {
  const run = await writeRun(folder, 'live', start(200), steps(1, 10));
  const { page } = await openRuns(exact);
  await expect.poll(() => legend(page, /^Loss next/)).toEqual(['live 10']);
  const questions: string[] = [];
  page.on('request', (request) => {
    const { pathname, searchParams } = new URL(request.url());
    if (pathname === '/runs/curves') questions.push(searchParams.get('after')!);
  });
  await run.append(steps(11, 50));
  await expect.poll(() => legend(page, /^Loss next/)).toEqual(['live 2']);
  expect(await entryText(page, 'live')).toContain('step 50 of 200');
  expect(questions[0]).toBe('10');
  expect(await entryText(page, 'live')).not.toContain('warns');
  await run.append(warning(50, 'num-zeros is rising'));
  await page.getByRole('status').getByText('num-zeros is rising').waitFor();
  expect(await entryText(page, 'live')).toContain('warns');
  // It goes on from step 20, with other losses.
  await run.replace(start(200), steps(1, 20), start(200, 20), steps(21, 60, { loss: 77 }));
  await expect.poll(() => legend(page, /^Loss next/)).toEqual(['live 77']);
  expect(questions.at(-1)).toBe('0');
  await expect.poll(() => page.getByText('num-zeros is rising').count()).toBe(0);
});

test('a run that is begun later appears, and the page says how to begin one', async () => {
  const { page } = await openRuns();
  await page.getByText('mimoflash train runs/tiny-1-one-head.json').waitFor();
  await expectAccessible(page);
  await writeRun(folder, 'lab/new', start(20), steps(1, 5));
  await lossPanel(page).locator('canvas').waitFor();
  expect(await legend(page, /^Loss next/)).toEqual(['lab/new 20']);
});

test('several runs share pictures; their families have pictures side by side', async () => {
  await writeRun(folder, 'stage-1', start(10), steps(1, 10));
  await writeRun(folder, 'stage-2', start(20), steps(1, 20));
  const { page } = await openRuns(exact);
  for (const run of ['stage-1', 'stage-2']) await entry(page, run).getByRole('checkbox').check();
  await expect.poll(async () => (await legend(page, /^Loss next/)).sort()).toEqual(['1 10', '2 5']);
  expect(await page.getByRole('heading', { level: 4 }).allInnerTexts()).toContain('2');
  const families = page.locator('article').filter({ hasText: /^Loss by family/ });
  // Pictures are drawn one after another.
  await expect.poll(() => families.locator('canvas').count()).toBe(2);
  const [left, right] = await Promise.all(
    [0, 1].map((i) => families.locator('canvas').nth(i).boundingBox()),
  );
  expect(left!.y).toBe(right!.y);
  // A family is shown in both, or in none.
  await families.getByRole('button', { name: /^code/ }).first().click();
  expect(
    await families.getByRole('button', { pressed: false }).evaluateAll((all) => all.length),
  ).toBe(2);

  // The choice is in the address.
  await page.reload();
  await expect.poll(async () => (await legend(page, /^Loss next/)).length).toBe(2);
  expect(await page.getByLabel('to', { exact: true }).inputValue()).toBe('20');
  await page.getByLabel('One after another').check();
  expect(await page.getByLabel('to', { exact: true }).inputValue()).toBe('30');
  await page.getByText('Tokens', { exact: true }).click();
  expect(await page.getByLabel('to', { exact: true }).inputValue()).toBe('30000');
  for (const run of ['stage-1', 'stage-2']) await entry(page, run).getByRole('checkbox').uncheck();
  await page.getByText('Choose a run').waitFor();
});

test('all pictures say their values where the mouse is, and show the stretch it draws', async () => {
  await writeRun(folder, 'live', start(1000), steps(1, 1000));
  const { page } = await openRuns(exact);
  const canvas = lossPanel(page).locator('canvas');
  await canvas.waitFor();
  const { x, y, width } = (await canvas.boundingBox())!;
  const lastValue = async (title: RegExp) =>
    Number((await legend(page, title))[0]!.split(' ').at(-1));
  expect(await lastValue(/^Loss next/)).toBe(0.1);
  await page.mouse.move(x + width / 2, y + 60);
  await expect.poll(() => lastValue(/^Loss next/)).toBeGreaterThan(0.15);
  expect(await lastValue(/^Gradient norm/)).toBeGreaterThan(0.0015);
  await page.mouse.down();
  await page.mouse.move(x + (3 * width) / 4, y + 60, { steps: 5 });
  await page.mouse.up();
  const [from, to] = [page.getByLabel('From'), page.getByLabel('to', { exact: true })];
  await expect.poll(() => from.inputValue()).not.toBe('0');
  expect(Number(await from.inputValue())).toBeGreaterThan(350);
  expect(Number(await to.inputValue())).toBeLessThan(800);
  await page.mouse.move(0, 0);
  await expect.poll(() => lastValue(/^Loss next/)).toBeGreaterThan(0.12);
  await page.mouse.dblclick(x + width / 2, y + 60);
  await expect.poll(() => to.inputValue()).toBe('1000');
  await from.fill('900');
  await from.press('Enter');
  await page.getByRole('button', { name: 'Show all' }).click();
  await expect.poll(() => from.inputValue()).toBe('0');
});

test('post-training has its own curves, before the others', async () => {
  await writeRun(folder, 'teacher', start(20), steps(1, 10, policy));
  const { page, complaints } = await openRuns(exact);
  await expect.poll(() => legend(page, /^Reward mean/)).toEqual(['teacher 0.625']);
  expect(await legend(page, /^Reward by domain/)).toEqual(['mathematics 0.75', 'tools 0.5']);
  expect(await legend(page, /^Pass rates/)).toEqual(['arithmetic 37.5%', 'shell 25%']);
  expect(await legend(page, /^Acceptance length/)).toEqual(['teacher 2.88']);
  expect(await legend(page, /^Gated tokens/)).toContain('gated, too low 3%');
  expect(await legend(page, /^Time of a step/)).toEqual(['sampling 3', 'teachers 1', 'training 2']);
  expect((await page.getByRole('heading', { level: 2 }).allInnerTexts())[0]).toContain('Learning');
  expect(await entryText(page, 'teacher')).toContain('reward 0.625');
  expect(complaints).toEqual([]);
});

test('the same is there in tables, with the keyboard alone', async () => {
  await writeRun(folder, 'live', start(20), steps(1, 20), evaluation(10, 12.5));
  const { page } = await openRuns(exact);
  await lossPanel(page).locator('canvas').waitFor();
  await page.getByLabel('As tables').focus();
  await page.keyboard.press('Space');
  const table = page.getByRole('table', { name: /^Loss, .*dots: held out$/ });
  expect(await table.getByRole('columnheader').allInnerTexts()).toEqual(['Steps', 'live']);
  const row = table.getByRole('row').filter({ has: page.getByRole('rowheader', { name: '20' }) });
  expect(await row.getByRole('cell').allInnerTexts()).toEqual(['5']);
  const unseen = page.getByRole('table', { name: /^Loss, .*, held out$/ });
  expect(await unseen.getByRole('cell').allInnerTexts()).toEqual(['12.5']);
  const experts = page.getByRole('table', { name: /^num-zeros by expert/ });
  expect(await experts.getByRole('cell').allInnerTexts()).toEqual(['7', '0', '30']);
  await expectAccessible(page);
});

test('a server that goes is told of, and what was there stays', async () => {
  await writeRun(folder, 'live', start(20), steps(1, 10));
  const { page } = await openRuns();
  await lossPanel(page).locator('canvas').waitFor();
  await page.route('**/runs', (route) => route.abort());
  await page.getByText('The runs cannot be read').waitFor();
  expect(await legend(page, /^Loss next/)).toHaveLength(1);
  await page.unroute('**/runs');
  await page.getByText('The runs cannot be read').waitFor({ state: 'detached' });
});

test('where no server tells of runs, the page says which command does', async () => {
  const without = await startTestServer({ page: await loadPage() });
  const { page } = await openPage(browser, without.url);
  await page.getByRole('link', { name: 'Training' }).click();
  await page.getByText('mimoflash serve --runs <folder>').waitFor();
  await without.close(0);
});

test('finds nothing in the way: light, dark, in English, in Chinese, on a phone', async () => {
  await writeRun(folder, 'stage-1', start(10), steps(1, 10), warning(10, 'num-zeros is falling'));
  await writeRun(folder, 'stage-2', start(20), steps(1, 15, policy));
  const { page, complaints } = await openRuns();
  await entry(page, 'stage-1').getByRole('checkbox').check();
  await page.getByText('num-zeros is falling').waitFor();
  await lossPanel(page).locator('canvas').waitFor();
  await expectAccessible(page);
  await page.getByRole('button', { name: 'Settings' }).click();
  await page.getByLabel('Appearance').selectOption('dark');
  await page.getByLabel('Language').selectOption('zh');
  await page.getByRole('button', { name: '关闭' }).click();
  await page.getByRole('heading', { name: '训练', exact: true }).waitFor();
  await expectAccessible(page);
  await page.setViewportSize({ width: 390, height: 780 });
  await expectAccessible(page);
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(390);
  const box = await page.locator('canvas').first().boundingBox();
  expect(box!.x + box!.width).toBeLessThanOrEqual(390);
  expect(complaints).toEqual([]);
});
