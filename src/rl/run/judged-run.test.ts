/** A run whose answers a model judges, on chats of somebody's own. */
import fs from 'node:fs/promises';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import os from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { smallRun } from '../../../test/train/small-run.ts';
import { createReferenceDevice } from '../../device/reference/device.ts';
import { parseTrainingConfig } from '../../train/config.ts';
import { runTraining } from '../../train/run.ts';
import { parsePolicyConfig } from './config.ts';
import { type PolicyEvent, runPolicy } from './policy-run.ts';

let folder: string;
let judge: http.Server;
const judged: string[] = [];
/** What the judge always says; null for something else each time. */
let verdict: number | null = null;
/** Of which questions the judge talks nonsense. */
let isNonsense = (_: string) => false;
beforeAll(async () => {
  folder = await fs.mkdtemp(join(os.tmpdir(), 'judged-'));
  const rows = Array.from({ length: 40 }, (_, i) => ({
    messages: [{ role: 'user', content: `Say ${i}!` }],
  }));
  await write('chats.jsonl', rows.map((row) => JSON.stringify(row)).join('\n'));
  const criteria = [{ name: 'short', description: 'it is short' }];
  await write('rubric.json', JSON.stringify({ task: 'Be short.', criteria }));
  judge = http.createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    judged.push(body);
    const scores = { short: verdict ?? judged.length % 10 };
    const judgement = JSON.stringify({ reasons: 'counted', scores });
    const content = isNonsense(body) ? 'Ten of ten!' : judgement;
    response.end(JSON.stringify({ choices: [{ message: { role: 'assistant', content } }] }));
  });
  await new Promise<void>((resolve) => judge.listen(0, '127.0.0.1', resolve));
});
afterAll(async () => {
  judge.closeAllConnections();
  judge.close();
  await fs.rm(folder, { recursive: true });
});
const write = (name: string, text: string) => fs.writeFile(join(folder, name), text);

/** Two steps on the chats, of a model that was hardly trained. */
async function judgedRun(output: string, changes: object = {}): Promise<PolicyEvent[]> {
  const config = parsePolicyConfig(
    {
      ...{ stage: 'teacher', output, steps: 2, maxLength: 64, microBatchTokens: 128 },
      model: { checkpoint: 'base/step-000002' },
      sources: [
        {
          domain: 'chats',
          prompts: 'chats.jsonl',
          rubric: 'rubric.json',
          thinking: 0,
          maxTokens: 6,
        },
      ],
      judge: { url: `http://127.0.0.1:${(judge.address() as AddressInfo).port}/v1`, model: 'any' },
      schedule: { groups: 2, groupSize: 3, concurrency: 6, requireSignal: verdict === null },
      learningRate: { peak: 1e-3 },
      ...changes,
    },
    join(folder, 'judged.json'),
  );
  const device = createReferenceDevice();
  const events: PolicyEvent[] = [];
  for await (const event of runPolicy(device, config)) events.push(event);
  expect(device.allocatedBytes).toBe(0);
  return events;
}

const stepsOf = (events: PolicyEvent[]) =>
  events.flatMap((event) => (event.type === 'step' ? [event] : []));

describe('a run with a judge', () => {
  beforeAll(async () => {
    const json = smallRun({ steps: 2, output: 'base' });
    const base = parseTrainingConfig(json, join(folder, 'base.json'));
    for await (const _ of runTraining(createReferenceDevice(), base));
  });

  test('rewards answers by what the judge says of them', async () => {
    const steps = stepsOf(await judgedRun('judged', { evaluation: { every: 2, problems: 4 } }));
    expect(steps.map(({ sequences }) => sequences)).toEqual([6, 6]);
    for (const { reward } of steps) {
      expect(reward).toBeGreaterThan(0);
      expect(reward).toBeLessThan(1);
    }
    expect(judged.length).toBeGreaterThanOrEqual(12);
    expect(judged.every((body) => body.includes('Be short.'))).toBe(true);
  });

  test('drops what the judge talks nonsense of, and stops where that is too much', async () => {
    isNonsense = (body) => /Say \d*[13579]!/.test(body);
    const failures = async (output: string, maxFailures: number) => {
      const schedule = {
        ...{ groups: 2, groupSize: 3, groupsAhead: 0, concurrency: 6, requireSignal: false },
        ...{ retries: 0, maxFailures },
      };
      const events = await judgedRun(output, { schedule });
      return stepsOf(events).map((step) => step.failures);
    };
    const [first, second] = await failures('lenient', 1);
    expect(first).toEqual({ 'judge-nonsense': expect.any(Number) });
    expect(second!['judge-nonsense']).toBeGreaterThanOrEqual(first!['judge-nonsense']!);
    isNonsense = () => true;
    await expect(failures('strict', 0.25)).rejects.toThrow(
      /^20 of the last 20 sequences failed, more than maxFailures \(0\.25\) allows; so far 20 judge-nonsense; the last was .*is not JSON; nothing was saved$/,
    );
    isNonsense = () => false;
  });

  test('counts steps in which nothing has a weight, and goes on after them', async () => {
    verdict = 7;
    const steps = stepsOf(await judgedRun('equal', { checkpointEvery: 1 }));
    expect(steps.map(({ step, updated }) => [step, updated])).toEqual([
      [1, false],
      [2, false],
    ]);
    const weights = (run: string) =>
      fs.readFile(join(folder, run, 'step-000002', 'model.safetensors'));
    expect((await weights('equal')).equals(await weights('base'))).toBe(true);
    const rest = stepsOf(await judgedRun('equal', { steps: 3 }));
    expect(rest.map(({ step }) => step)).toEqual([3]);
  });
});
