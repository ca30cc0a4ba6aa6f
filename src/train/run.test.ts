import { spawn } from 'node:child_process';
import fs from 'node:fs/promises';
import os from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { smallRun } from '../../test/train/small-run.ts';
import { openCheckpoint } from '../checkpoint/load.ts';
import { createReferenceDevice } from '../device/reference/device.ts';
import { readMetrics } from '../watch/metrics-reader.ts';
import { parseTrainingConfig } from './config.ts';
import { precisionOf } from './open-run.ts';
import { type RunOptions, runTraining, type TrainingEvent } from './run.ts';
import { readState } from './state.ts';

let folder: string;
beforeEach(async () => {
  folder = await fs.mkdtemp(join(os.tmpdir(), 'run-'));
});
afterEach(() => fs.rm(folder, { recursive: true }));

const config = (changes: object = {}) =>
  parseTrainingConfig(smallRun(changes), join(folder, 'train.json'));
const train = async (changes: object = {}, options: RunOptions = {}) => {
  const events: TrainingEvent[] = [];
  const device = createReferenceDevice();
  for await (const event of runTraining(device, config(changes), options)) events.push(event);
  expect(device.allocatedBytes).toBe(0);
  return events;
};
const bytes = (run: string, name: string) => fs.readFile(join(folder, run, 'step-000006', name));
const metrics = async (run: string) =>
  (await fs.readFile(join(folder, run, 'metrics.jsonl'), 'utf8'))
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));

/** Trains until the given step, stopping as Ctrl-C does. */
async function trainUntil(step: number, changes: object = {}): Promise<TrainingEvent[]> {
  const stop = new AbortController();
  const events: TrainingEvent[] = [];
  const run = runTraining(createReferenceDevice(), config(changes), { signal: stop.signal });
  for await (const event of run) {
    events.push(event);
    if (event.type === 'step' && event.step === step) stop.abort();
  }
  return events;
}

async function expectSameRun(one: string, other: string): Promise<void> {
  for (const name of ['model.safetensors', 'optimizer.safetensors', 'tokenizer.json']) {
    expect((await bytes(one, name)).equals(await bytes(other, name)), name).toBe(true);
  }
  const losses = async (run: string) =>
    (await metrics(run))
      .filter(({ type }) => type === 'step')
      .map(({ step, loss }) => [step, loss]);
  expect(await losses(one)).toEqual(await losses(other));
}

describe('a training run', () => {
  test('learns, reports, and keeps its newest checkpoints', async () => {
    const events = await train({
      evaluation: { every: 3, tokens: 100, data: [{ tasks: 'test' }] },
      learningRate: { peak: 0.02, floor: 0.001, warmupSteps: 2 },
      steps: 12,
    });
    const losses = events.flatMap((event) => (event.type === 'step' ? [event.loss] : []));
    expect(losses).toHaveLength(12);
    expect(losses.at(-1)!).toBeLessThan(losses[0]! - 0.3);
    const evaluations = events.filter(({ type }) => type === 'evaluation');
    expect(evaluations.map((event) => event.type === 'evaluation' && event.step)).toEqual([
      3, 6, 9, 12,
    ]);
    const [start, { type, ...first }] = await metrics('run');
    expect(start).toMatchObject({ type: 'start', step: 0, steps: 12, precision: 'f32' });
    expect(type).toBe('step');
    expect(first).toMatchObject({ step: 1, learningRate: 0.01, deadExperts: expect.any(Number) });
    expect(first.mtpLosses).toHaveLength(2);
    expect(first.maxViolation).toHaveLength(2);
    expect(first.tokens).toBeGreaterThan(100);
    expect(await fs.readdir(join(folder, 'run'))).toEqual([
      'metrics.jsonl',
      'step-000010',
      'step-000012',
      'tokenizer',
    ]);
    const checkpoint = await openCheckpoint(join(folder, 'run', 'step-000012'));
    expect(checkpoint.config).toMatchObject({ hiddenSize: 12, mtpHeads: 2 });
    await checkpoint.close();
  });

  test('that is stopped and resumed ends with the bits of one that was not', async () => {
    await train({ output: 'whole' });
    const stopped = await trainUntil(3, { output: 'parts' });
    expect(stopped.at(-1)).toMatchObject({ type: 'finish', reason: 'stopped', step: 3 });
    const [start] = await train({ output: 'parts' });
    expect(start).toMatchObject({ type: 'start', step: 3 });
    await expectSameRun('parts', 'whole');
  });

  test('that is killed goes on from its last checkpoint', async () => {
    await train({ output: 'whole' });
    const path = join(folder, 'train.json');
    await fs.writeFile(path, JSON.stringify(smallRun({ output: 'killed' })));
    await killAfterStep(3, path);
    const [start] = await train({ output: 'killed' });
    expect(start).toMatchObject({ type: 'start', step: 2 });
    await expectSameRun('killed', 'whole');
  });

  test('refuses to go on with another config', async () => {
    await trainUntil(1);
    await expect(train({ clipNorm: 2 })).rejects.toThrow(
      /clipNorm is not what the run in .*step-000001 began with/,
    );
    const { model } = smallRun() as { model: { config: object } };
    const wider = { config: { ...model.config, intermediate_size: 20 } };
    await expect(train({ model: wider })).rejects.toThrow(/^model is not what the run in/);
    const tokenizer = { train: { vocabSize: 301, samples: 50 } };
    await expect(train({ tokenizer })).rejects.toThrow(/^tokenizer is not what the run in/);
    const [start] = await train({ steps: 2, checkpointEvery: 1 });
    expect(start).toMatchObject({ step: 1 });
  });

  test('keeps the precision that it began with', async () => {
    const mixed = () => Object.assign(createReferenceDevice(), { precision: 'mixed' as const });
    for await (const _ of runTraining(mixed(), config({ steps: 2 })));
    expect((await readState(join(folder, 'run', 'step-000002'))).precision).toBe('mixed');
    expect(await precisionOf(config())).toBe('mixed');
    expect(await precisionOf(config({ output: 'new' }))).toBe('auto');
    await expect(train()).rejects.toThrow(
      /^the run is in precision mixed and .* "precision": "f32"/,
    );
    await train({ precision: 'f32', steps: 4 });
    expect((await readState(join(folder, 'run', 'step-000004'))).precision).toBe('f32');
    expect(await precisionOf(config())).toBe('f32');
  });

  test('ends with the same bits when other threads make its samples', async () => {
    await train({ output: 'one' });
    await train({ output: 'several', dataThreads: 2 });
    await expectSameRun('one', 'several');
  });

  test('refuses to go on when a file holds something else', async () => {
    const path = join(folder, 'a.jsonl');
    await fs.writeFile(path, '{"text": "one two three"}\n{"text": "four five"}\n');
    const data = { data: [{ jsonl: 'a.jsonl' }], cache: 'cache' };
    const events = await trainUntil(1, data);
    expect(events[0]).toMatchObject({ type: 'start', files: [{ documents: 2, malformed: 0 }] });
    await fs.writeFile(path, '{"text": "one two three"}\n{"text": "four six"}\n');
    await expect(train(data)).rejects.toThrow(
      /a\.jsonl: does not hold what it held when the run in .*step-000001 began; put the old/,
    );
    await fs.rm(path);
    await expect(train(data)).rejects.toThrow(/a\.jsonl: no such file/);
  });

  test('that diverges stops with one line and keeps the last checkpoint', async () => {
    await trainUntil(2);
    const device = createReferenceDevice();
    const { tokenLogprobs } = device.kernels;
    device.kernels.tokenLogprobs = (a) => {
      tokenLogprobs(a);
      device.kernels.fill({ out: a.logProbability, value: Number.NaN });
    };
    const run = async () => {
      for await (const _ of runTraining(device, config()));
    };
    await expect(run()).rejects.toThrow(
      /^step 3: the loss is NaN .*lower the learning rate.*; the last checkpoint is .*step-000002$/,
    );
    expect((await readState(join(folder, 'run', 'step-000002'))).step).toBe(2);
    const { warnings } = await readMetrics(join(folder, 'run'));
    expect(warnings).toMatchObject([
      { step: 3, text: expect.stringMatching(/^step 3: the loss is NaN/), stops: true },
    ]);
  });

  test('that cannot save says so and keeps the last checkpoint', async () => {
    await fs.mkdir(join(folder, 'run', 'step-000004'), { recursive: true });
    await fs.writeFile(join(folder, 'run', 'step-000004', 'note.txt'), 'not a checkpoint');
    await expect(train()).rejects.toThrow(
      /^cannot save .*step-000004: .*; the last checkpoint is .*step-000002$/,
    );
    expect((await readState(join(folder, 'run', 'step-000002'))).step).toBe(2);
  });

  test('names the file of its state that is damaged', async () => {
    await trainUntil(1);
    await fs.writeFile(join(folder, 'run', 'step-000001', 'trainer.json'), '{"step": 1}');
    await expect(train()).rejects.toThrow(/trainer\.json: is damaged; remove .*step-000001/);
  });

  test('begins with a checkpoint and copies its MTP head', async () => {
    await train({ output: 'base', steps: 2 });
    const model = { checkpoint: 'base/step-000002', mtpHeads: 4 };
    const changes = { output: 'next', model, tokenizer: undefined };
    const run = runTraining(createReferenceDevice(), config(changes));
    const started = await run.next();
    if (started.done || started.value.type !== 'start') throw new Error('did not start');
    const { parameters, device } = started.value.model;
    const read = async (name: string) => {
      const { storage, byteLength } = parameters.get(name)!;
      return device.read(storage, 0, byteLength);
    };
    const name = (head: number) => `model.mtp.layers.${head}.eh_proj.weight`;
    const heads = await Promise.all([0, 1, 2, 3].map((head) => read(name(head))));
    expect(heads[2]).toEqual(heads[0]);
    expect(heads[3]).toEqual(heads[0]);
    expect(heads[1]).not.toEqual(heads[0]);
    await run.return(undefined);
  });

  test('begins with a checkpoint whose context is extended', async () => {
    await train({ output: 'base', steps: 2 });
    const model = { checkpoint: 'base/step-000002', ropeTheta: 5000, maxPositions: 256 };
    const longer = { maxLength: 128, microBatchTokens: 128, steps: 2 };
    const [start] = await train({ output: 'next', model, tokenizer: undefined, ...longer });
    if (start!.type !== 'start') throw new Error('did not start');
    const before = await openCheckpoint(join(folder, 'base', 'step-000002'));
    const after = await openCheckpoint(join(folder, 'next', 'step-000002'));
    const { globalAttention } = before.config;
    expect(after.config).toEqual({
      ...before.config,
      maxPositions: 256,
      globalAttention: { ...globalAttention, ropeTheta: 5000 },
    });
    const path = join(folder, 'next', 'step-000002', 'tokenizer_config.json');
    expect(JSON.parse(await fs.readFile(path, 'utf8')).model_max_length).toBe(256);
    await Promise.all([before.close(), after.close()]);
  });

  test('tells the losses of families and files apart', async () => {
    await fs.writeFile(join(folder, 'a.jsonl'), '{"text": "one two three"}\n');
    const tasks = { tasks: 'train', families: { arithmetic: 1, strings: 1 } };
    const data = [tasks, { jsonl: 'a.jsonl' }];
    const evaluation = { every: 2, tokens: 100, data: [{ ...tasks, tasks: 'test' }] };
    const events = await train({ data, cache: 'cache', steps: 2, evaluation });
    const labels = ['a.jsonl', 'arithmetic', 'strings'];
    const seen = new Set<string>();
    for (const event of events) {
      if (event.type === 'step') for (const label in event.lossByLabel) seen.add(label);
      if (event.type !== 'evaluation') continue;
      const parts = Object.values(event.byLabel);
      const targets = parts.reduce((sum, part) => sum + part.targets, 0);
      const mean = parts.reduce((sum, { loss, targets }) => sum + loss * targets, 0) / targets;
      expect(mean).toBeCloseTo(event.loss, 6);
      expect(Object.keys(event.byLabel)).toEqual(['arithmetic', 'strings']);
    }
    expect([...seen].sort()).toEqual(labels);
  });

  test('of SFT takes sequences, mixes thinking, and learns answers and heads alone', async () => {
    await train({ output: 'base', steps: 2 });
    const chat = [
      { role: 'user', content: 'hi' },
      { role: 'assistant', content: 'ho', reasoning_content: 'hm' },
    ];
    const plain = [chat[0], { role: 'assistant', content: 'ha' }];
    const lines = [{ messages: chat }, { messages: plain }].map((row) => JSON.stringify(row));
    await fs.writeFile(join(folder, 'chats.jsonl'), lines.join('\n'));
    const { batchTokens, learningRate, ...rest } = smallRun();
    const sft = parseTrainingConfig(
      {
        ...rest,
        stage: 'sft',
        output: 'sft',
        model: { checkpoint: 'base/step-000002', mtpHeads: 3 },
        tokenizer: undefined,
        data: [{ jsonl: 'chats.jsonl' }, { tasks: 'train', families: { arithmetic: 1 } }],
        cache: 'cache',
        batchSequences: 5,
        steps: 24,
        zerosWatch: { settle: 2, window: 8, change: 1e-6, deviations: 1e-6, stop: true },
      },
      join(folder, 'sft.json'),
    );
    const events: TrainingEvent[] = [];
    for await (const event of runTraining(createReferenceDevice(), sft)) events.push(event);
    const written = await metrics('sft');
    const [first] = written.filter(({ type }) => type === 'step');
    expect(first.learningRate).toBeCloseTo(5e-5, 6);
    expect(first.mtpLosses).toHaveLength(3);
    expect(first.zerosByLayer).toHaveLength(3);
    expect(first.zerosByExpert.flat().every((zeros: number) => zeros >= 0)).toBe(true);
    // A rule that any change breaks: it warns, saves and ends, and goes on when asked again.
    const warning = events.find(({ type }) => type === 'warning');
    expect(warning).toMatchObject({
      stops: true,
      text: expect.stringMatching(/^step (1[89]|2\d): num-zeros is (rising|falling)/),
    });
    expect(written.some(({ type }) => type === 'warning')).toBe(true);
    expect(events.at(-1)).toMatchObject({ reason: 'stopped' });
    const next = runTraining(createReferenceDevice(), sft);
    expect((await next.next()).value).toMatchObject({ type: 'start' });
    expect((await next.next()).value).toMatchObject({ type: 'step' });
    await next.return(undefined);
  });

  test('says which sizes do not fit', async () => {
    const sizes = { maxLength: 128, microBatchTokens: 128 };
    await expect(train(sizes)).rejects.toThrow(/maxLength is 128, but the model has 64 positions/);
  });
});

/** Runs the config in a process of its own and kills it outright after a step. */
async function killAfterStep(step: number, path: string): Promise<void> {
  const script = `
    import { createReferenceDevice } from './src/device/reference/device.ts';
    import { readTrainingConfig } from './src/train/config.ts';
    import { runTraining } from './src/train/run.ts';
    const config = await readTrainingConfig(${JSON.stringify(path)});
    for await (const event of runTraining(createReferenceDevice(), config)) {
      if (event.type === 'step' && event.step === ${step}) process.kill(process.pid, 'SIGKILL');
    }`;
  const root = new URL('../../', import.meta.url);
  const child = spawn(process.execPath, ['--input-type=module', '--eval', script], { cwd: root });
  const signal = await new Promise((resolve) => child.on('exit', (_, by) => resolve(by)));
  expect(signal).toBe('SIGKILL');
}
