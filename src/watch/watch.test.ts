import fs from 'node:fs/promises';
import os from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { startTestServer } from '../../test/serve/test-server.ts';
import { smallRun } from '../../test/train/small-run.ts';
import { createReferenceDevice } from '../device/reference/device.ts';
import { runRoutes } from '../serve/runs.ts';
import { parseTrainingConfig } from '../train/config.ts';
import { runTraining } from '../train/run.ts';
import { MetricsReader } from './metrics-reader.ts';
import { RunWatcher } from './watcher.ts';

let folder: string;
beforeEach(async () => {
  folder = await fs.mkdtemp(join(os.tmpdir(), 'watch-'));
});
afterEach(() => fs.rm(folder, { recursive: true }));

const line = (step: number, changes: object = {}) =>
  `${JSON.stringify({
    type: 'step',
    step,
    tokens: 100,
    totalTokens: 100 * step,
    loss: 4 / step,
    mtpLosses: [5 / step],
    lossByLabel: { arithmetic: 1 / step },
    entropy: 1,
    gradientNorm: 0.5,
    learningRate: 1e-3,
    numZeros: 7,
    zerosByLayer: [0, 0.25],
    deadExperts: 0,
    balanceLoss: 1,
    maxViolation: [1, 3],
    meanViolation: [0.5, 1.5],
    tokensPerSecond: 50,
    seconds: 2 * step,
    ...changes,
  })}\n`;
const started = `${JSON.stringify({ type: 'start', step: 0, steps: 20, device: 'x', precision: 'f32' })}\n`;
const evaluated = (step: number) =>
  `${JSON.stringify({ type: 'evaluation', step, loss: 2, mtpLosses: [], entropy: 1, byLabel: {}, scores: {} })}\n`;

/** The metrics of a run in a folder below the one that is watched. */
async function write(run: string, text: string): Promise<string> {
  const directory = join(folder, run);
  await fs.mkdir(directory, { recursive: true });
  await fs.writeFile(join(directory, 'metrics.jsonl'), text);
  return directory;
}

describe('metrics', () => {
  test('are read as they come, by whole lines', async () => {
    const directory = await write('run', started + line(1));
    const path = join(directory, 'metrics.jsonl');
    const reader = new MetricsReader(directory);
    const steps = async () => (await reader.refresh()).steps.map(({ step }) => step);
    expect(await steps()).toEqual([1]);
    const second = line(2);
    await fs.appendFile(path, second.slice(0, 30));
    expect(await steps()).toEqual([1]);
    await fs.appendFile(path, second.slice(30) + evaluated(2));
    expect(await steps()).toEqual([1, 2]);
    expect((await reader.refresh()).evaluations).toHaveLength(1);
    // A run that goes on from step 1 replaces the file.
    await fs.writeFile(`${path}.new`, started + line(1) + line(2, { loss: 9 }) + line(3));
    await fs.rename(`${path}.new`, path);
    expect((await reader.refresh()).steps.map(({ loss }) => loss)).toEqual([4, 9, 4 / 3]);
  });

  test('tell what a run warned of, until it goes on', async () => {
    const warned = (step: number, stops: boolean) =>
      `${JSON.stringify({ type: 'warning', step, text: `at ${step}`, stops })}\n`;
    const summary = async (text: string) => {
      await write('run', text);
      return (await new RunWatcher(folder).summaries())[0]!;
    };
    const first = started + line(1) + warned(1, false) + line(2) + warned(3, true);
    expect(await summary(first)).toMatchObject({ starts: 1, warning: { text: 'at 3' } });
    const again = started.replace('"step":0', '"step":2');
    expect(await summary(started + line(1) + warned(1, false) + line(2) + again)).toMatchObject({
      starts: 2,
      warning: null,
    });
  });

  test('that are not there are none, and a broken line is left out', async () => {
    expect((await new MetricsReader(join(folder, 'none')).refresh()).steps).toEqual([]);
    const directory = await write('run', `${line(1)}{"type": "st\n${line(2)}`);
    expect((await new MetricsReader(directory).refresh()).steps).toHaveLength(2);
  });
});

describe('runs', () => {
  test('are none where there is no directory yet', async () => {
    expect(await new RunWatcher(join(folder, 'later')).summaries()).toEqual([]);
  });

  test('are found below a directory, and told how they stand', async () => {
    const steps = (count: number) => Array.from({ length: count }, (_, i) => line(i + 1)).join('');
    await write('lab/a', started + steps(4) + evaluated(4));
    await write('b', started + steps(20));
    await write('empty', '');
    const watcher = new RunWatcher(folder);
    const runs = await watcher.summaries();
    expect(runs.map(({ run }) => run).sort()).toEqual(['b', 'lab/a']);
    expect(runs.find(({ run }) => run === 'lab/a')).toMatchObject({
      state: 'running',
      step: 4,
      steps: 20,
      totalTokens: 400,
      heldOutLoss: 2,
      meanViolation: 1,
      tokensPerSecond: 50,
      remainingSeconds: 32,
      lossByLabel: { arithmetic: 0.25 },
    });
    expect(runs.find(({ run }) => run === 'b')).toMatchObject({
      state: 'done',
      remainingSeconds: null,
    });
    const later = await watcher.summaries(Date.now() + 60_000);
    expect(later.find(({ run }) => run === 'lab/a')).toMatchObject({ state: 'stopped' });
  });

  test('that train are read from their own files', async () => {
    const config = parseTrainingConfig(smallRun({ steps: 3 }), join(folder, 'train.json'));
    for await (const _ of runTraining(createReferenceDevice(), config));
    const [run] = await new RunWatcher(folder).summaries();
    expect(run).toMatchObject({ run: 'run', state: 'done', step: 3, steps: 3 });
    expect(Object.keys(run!.lossByLabel)).toContain('arithmetic');
    expect(run!.curves.loss).toHaveLength(3);
  });
});

describe('runs over HTTP', () => {
  const get = async (path: string) => {
    const response = await runRoutes(folder).request(path);
    return { status: response.status, body: response.ok ? await response.json() : null };
  };

  test('are listed, and give their curves', async () => {
    await write(
      'a',
      started + line(1) + line(2, { lossByLabel: { code: 3 } }) + line(3) + evaluated(3),
    );
    const { body } = await get('/');
    expect((body as { runs: unknown }).runs).toMatchObject([{ run: 'a', step: 3 }]);
    const { body: curves } = await get('/curves?run=a&after=1&points=10');
    expect(curves).toMatchObject({
      run: 'a',
      steps: {
        step: [2, 3],
        mtpLosses: [[2.5, 5 / 3]],
        lossByLabel: { arithmetic: [null, 1 / 3], code: [3, null] },
        meanViolation: [1, 1],
        numZeros: [7, 7],
        zerosByLayer: [
          [0, 0],
          [0.25, 0.25],
        ],
      },
      evaluations: [{ step: 3, loss: 2 }],
    });
    // An evaluation follows its step, so that a page may have had the step without it.
    const { body: later } = await get('/curves?run=a&after=3');
    expect(later).toMatchObject({ starts: 1, steps: { step: [] }, evaluations: [{ step: 3 }] });
  });

  test('of reinforcement learning have what it adds', async () => {
    const policy = (reward: number, changes: object = {}) => ({
      reward,
      rewardByDomain: { code: reward },
      passRates: { 'arithmetic/easy/en': 0.5, 'arithmetic/hard/en': 0.25, chats: 1 },
      rollouts: { tokens: 10, acceptanceLength: 2.5, hitRates: [0.5], tokensPerSecond: 100 },
      mismatch: { tokens: 10, kl: 0, klPositive: 1e-4, largestGap: 1, below: 0.01, above: 0.02 },
      algorithm: { gatedLow: 0.03, teacherGap: 0.4 },
      staleness: { mean: 0.5, max: 2 },
      parts: { sampling: 3, teachers: 1, training: 2 },
      zerosShare: 0.1,
      zerosByExpert: [[10 * reward, 0]],
      ...changes,
    });
    const accuracy = (step: number) =>
      `${JSON.stringify({ type: 'accuracy', step, scores: { code: 0.5 } })}\n`;
    const compared = {
      mismatchWithoutReplay: { klPositive: 2e-3 },
      algorithm: { teacherGap: 0.4 },
    };
    await write('a', accuracy(0) + line(1, policy(0)) + line(2, policy(1, compared)) + accuracy(2));
    const { body } = await get('/curves?run=a');
    expect(body).toMatchObject({
      steps: {
        reward: [0, 1],
        rewardByDomain: { code: [0, 1] },
        passRates: { arithmetic: [0.375, 0.375], chats: [1, 1] },
        acceptanceLength: [2.5, 2.5],
        mismatch: { replayed: [1e-4, 1e-4], notReplayed: [null, 2e-3] },
        gated: { above: [0.02, 0.02], below: [0.01, 0.01], gatedLow: [0.03, 0] },
        teacherGap: [0.4, 0.4],
        parts: { sampling: [3, 3], teachers: [1, 1], training: [2, 2] },
        zerosShare: [0.1, 0.1],
      },
      zerosByExpert: [[5, 0]],
      accuracies: [{ step: 0 }, { step: 2 }],
    });
  });

  test('are served beside a model', async () => {
    await write('a', line(1));
    const server = await startTestServer({ runs: folder });
    try {
      const list = await server.request('/runs');
      expect(await list.json()).toMatchObject({ runs: [{ run: 'a' }] });
      const missing = await server.request('/runs/curves?run=b');
      expect(missing.status).toBe(404);
      expect(await missing.json()).toMatchObject({ error: { message: 'there is no run "b"' } });
    } finally {
      await server.close(0);
    }
    const without = await startTestServer();
    expect((await without.request('/runs')).status).toBe(404);
    await without.close(0);
  });

  test('are no way to other files', async () => {
    await write('a', line(1));
    const watched = runRoutes(join(folder, 'a', '..', 'a'));
    watched.onError((error, c) => c.text(error.message, 400));
    const refuse = async (query: string) => {
      const response = await watched.request(`/curves?${query}`);
      expect(response.status).toBe(400);
      return response.text();
    };
    expect(await refuse('run=../a')).toBe('there is no run "../a"');
    expect(await refuse('run=.&points=1')).toContain('give 2 to 2000');
    expect(await refuse('run=.&after=x')).toBe('after is not a whole number');
  });
});
