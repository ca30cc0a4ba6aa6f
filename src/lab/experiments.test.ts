import fs from 'node:fs/promises';
import os from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createWasmDevice } from '../device/wasm/device.ts';
import { attentionOf } from '../model/config.ts';
import { parseHubConfig } from '../model/hub-config.ts';
import type { Device } from '../tensor/device.ts';
import { parseTrainingConfig, type TrainingConfig } from '../train/config.ts';
import { attentionSchema, shapeOf } from './attention/config.ts';
import { EXPERIMENTS, type LabOptions } from './index.ts';

let folder: string;
let device: Device;
beforeAll(async () => {
  folder = await fs.mkdtemp(join(os.tmpdir(), 'experiments-'));
  device = await createWasmDevice({ threads: 1 });
});
afterAll(async () => {
  await device.destroy();
  await fs.rm(folder, { recursive: true });
});

const run = (name: string, changes: Partial<LabOptions> = {}) => {
  const experiment = EXPERIMENTS.find((each) => each.name === name)!;
  return experiment.run({
    device,
    configPath: fileURLToPath(new URL(`../../runs/lab-${name}.json`, import.meta.url)),
    quick: true,
    output: join(folder, name),
    reports: join(folder, 'reports'),
    signal: new AbortController().signal,
    progress: () => {},
    ...changes,
  });
};
const report = (file: string) => fs.readFile(join(folder, 'reports', file), 'utf8');

describe('quick experiments', () => {
  test.each([
    ['attention', ['window-8-sink', 'retrieval at 2048', 'attention-memory.svg']],
    ['balance', ['rate-1e-3', 'numZeros', 'balance-meanViolation.svg']],
    ['acceptance', ['arithmetic, hard', '0.58·x^0.58', 'acceptance-entropy.svg']],
    ['distillation', ['outcome reward only', 'mathematics', 'distillation-mean.svg']],
    ['mismatch', ['8-bit-f16', 'largest ratio with R3', 'mismatch-training-kl.svg']],
    ['rollouts', ['no-drafts', 'share of sampling', 'rollouts-parts.svg']],
    ['zeros', ['bias-rate-1e-1', 'What the watch said', 'zeros-share.svg']],
    ['domains', ['Before, teachers, and after (mopd)', 'safety-teacher', 'domains-shares.svg']],
  ])('%s writes its report', async (name, parts) => {
    expect(await run(name)).toMatchObject({ state: 'reported' });
    const text = await report(`${name}.md`);
    for (const part of parts) expect(text).toContain(part);
    expect(text).not.toMatch(/NaN|undefined/);
    for (const [, plot] of text.matchAll(/\((\S+\.svg)\)/g)) {
      expect(await report(plot!)).not.toContain('NaN');
    }
    expect(device.allocatedBytes).toBe(0);
  });

  test.each([
    ['balance', 'step 2 of 6, loss', 'rate-1e-3-seed-1: step 3 of 6, loss'],
    ['distillation', 'step 1 of 2, reward', 'outcome-seed-1: step 2 of 2, reward'],
  ])('a run of %s that is stopped goes on', async (name, last, next) => {
    const stop = new AbortController();
    const progress = (text: string) => {
      if (text.includes(last)) stop.abort();
    };
    const output = join(folder, `${name}-stopped`);
    expect(await run(name, { output, signal: stop.signal, progress })).toEqual({
      state: 'stopped',
    });
    const seen: string[] = [];
    await run(name, { output, progress: (text) => seen.push(text) });
    const kind = next.split(' ').at(-1)!;
    expect(seen.find((text) => text.includes(kind))).toContain(next);
  });
});

test('the full configs are in order', async () => {
  const stop = new AbortController();
  stop.abort();
  for (const { name } of EXPERIMENTS) {
    const end = await run(name, {
      quick: false,
      output: join(folder, 'never'),
      signal: stop.signal,
    });
    expect(end).toEqual({ state: 'stopped' });
  }
});

test('the trainings of the full configs are in order', async () => {
  const read = async (name: string) => {
    const path = fileURLToPath(new URL(`../../runs/lab-${name}.json`, import.meta.url));
    return { path, json: JSON.parse(await fs.readFile(path, 'utf8')) };
  };
  const names = { vocab_size: 2048, eos_token_id: 2, pad_token_id: 0 };
  const shapeIn = ({ model }: TrainingConfig) => ({ ...(model.config as object), ...names });

  const { path, json } = await read('attention');
  const { quick, ...usual } = json;
  const config = attentionSchema.parse(usual);
  const training = parseTrainingConfig({ ...config.training, output: 'out' }, path);
  for (const variant of config.variants) {
    const shape = parseHubConfig(shapeOf(shapeIn(training), variant), variant.name);
    const windows = shape.layers.map((_, layer) => attentionOf(shape, layer).window);
    expect(new Set(windows)).toEqual(new Set(variant.window ? [null, variant.window] : [null]));
    // A question and its answer.
    for (const { tokens = 0, maxTokens } of Object.values(config.questions)) {
      const room =
        tokens <= training.maxLength ? shape.maxPositions : config.extension.maxPositions;
      expect(tokens + 200 + maxTokens).toBeLessThan(room);
    }
  }
  const { maxPositions, ropeTheta, training: longer } = config.extension;
  const model = { checkpoint: 'somewhere', maxPositions, ropeTheta };
  const extension = parseTrainingConfig({ ...longer, model, output: 'out' }, path);
  expect(extension.maxLength).toBeLessThanOrEqual(maxPositions);

  const balance = await read('balance');
  const sparse = parseTrainingConfig({ ...balance.json.training, output: 'out' }, balance.path);
  expect(parseHubConfig(shapeIn(sparse), 'balance').experts).toMatchObject({
    count: 32,
    perToken: 4,
  });
});
