import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { describeModel } from '../model/describe.ts';
import { parseHubConfig } from '../model/hub-config.ts';
import { readTrainingConfig } from './config.ts';

const run = (name: string) => fileURLToPath(new URL(`../../runs/${name}.json`, import.meta.url));
const stages = [
  'mimoflash-1-general',
  'mimoflash-2-reasoning',
  'mimoflash-3-long-context',
  'mimoflash-4-three-heads',
];

test('each stage of the recipe begins with the last checkpoint of the one before', async () => {
  const configs = await Promise.all(stages.map((name) => readTrainingConfig(run(name))));
  configs.slice(1).forEach(({ model }, i) => {
    const { output, steps } = configs[i]!;
    expect(model.checkpoint).toBe(`${output}/step-${String(steps).padStart(6, '0')}`);
  });
  // The report's of each stage.
  const settings = configs.map(({ mtpLossWeight, expertBiasRate, balanceCoefficient }) => {
    return [mtpLossWeight, expertBiasRate, balanceCoefficient];
  });
  expect(settings).toEqual([
    [0.3, 1e-3, 1e-5],
    [0.1, 1e-3, 1e-5],
    [0.1, 1e-5, 1e-5],
    [0.3, 1e-4, 1e-6],
  ]);
});

test('the shape is as large as the shipped model may be, and fits quantising and matrix units', async () => {
  const { model } = await readTrainingConfig(run(stages[0]!));
  const json = { ...(model.config as object), vocab_size: 4096, num_nextn_predict_layers: 3 };
  const config = parseHubConfig(json, 'the first stage');
  const { trunk, mtp } = describeModel(config).parameters;
  expect(trunk + mtp).toBeGreaterThan(10e6);
  expect(trunk + mtp).toBeLessThan(30e6);
  const { headDim, valueHeadDim, heads } = config.slidingAttention;
  expect([headDim % 16, valueHeadDim % 16]).toEqual([0, 0]);
  expect(headDim + valueHeadDim).toBeLessThanOrEqual(160);
  const columns = [config.hiddenSize, heads * valueHeadDim, config.intermediateSize];
  columns.push(config.experts.intermediateSize);
  for (const count of columns) expect(count % 128).toBe(0);
});
