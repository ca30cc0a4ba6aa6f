/** A run whose problems have tools: within quotas and rates, in threads, with figures of each step. */
import fs from 'node:fs/promises';
import os from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { tinyConfig } from '../../../test/tiny-config.ts';
import { smallRun } from '../../../test/train/small-run.ts';
import { createWasmDevice } from '../../device/wasm/device.ts';
import { toHubConfig } from '../../model/hub-config.ts';
import { parseTrainingConfig } from '../../train/config.ts';
import { runTraining } from '../../train/run.ts';
import { parsePolicyConfig } from './config.ts';
import { type PolicyEvent, runPolicy } from './policy-run.ts';

let folder: string;
beforeAll(async () => {
  folder = await fs.mkdtemp(join(os.tmpdir(), 'tools-run-'));
});
afterAll(() => fs.rm(folder, { recursive: true }));

test('tools are opened within the quota, and told of with each step', async () => {
  const device = await createWasmDevice({ threads: 1 });
  const { vocab_size, eos_token_id, pad_token_id, ...shape } = toHubConfig(
    tinyConfig({ maxPositions: 4096 }),
  );
  const base = smallRun({ steps: 2, output: 'base', model: { config: shape } });
  for await (const _ of runTraining(device, parseTrainingConfig(base, join(folder, 'base.json'))));
  const config = parsePolicyConfig(
    {
      ...{ stage: 'teacher', output: 'run', steps: 2, maxLength: 4096, microBatchTokens: 4096 },
      model: { checkpoint: 'base/step-000002' },
      sources: [{ domain: 'tools', families: { shell: 1 }, levels: { easy: 1 }, maxTokens: 4 }],
      schedule: {
        ...{ groups: 1, groupSize: 4, groupsAhead: 0, concurrency: 4, requireSignal: false },
      },
      tools: { threads: 1, sessions: 2, rate: { perSecond: 1000, burst: 10 } },
      learningRate: { peak: 1e-3 },
    },
    join(folder, 'run.json'),
  );
  const steps: (PolicyEvent & { type: 'step' })[] = [];
  for await (const event of runPolicy(device, config)) if (event.type === 'step') steps.push(event);
  expect(steps.map(({ tools }) => tools.kinds['problem-tools']!.opened)).toEqual([4, 8]);
  expect(steps[1]).toMatchObject({
    reward: 0,
    failures: {},
    tools: {
      kinds: { 'problem-tools': { inUse: 0, waiting: 0, failures: 0, timeouts: 0 } },
      resources: { sessions: { capacity: 2, inUse: 0 } },
    },
  });
  expect(device.allocatedBytes).toBe(0);
  await device.destroy();
});
