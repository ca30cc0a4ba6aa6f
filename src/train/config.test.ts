import { describe, expect, test } from 'vitest';
import { parseTrainingConfig } from './config.ts';

const base = {
  output: 'runs/a',
  model: { config: 'shape.json' },
  tokenizer: { train: { vocabSize: 512 } },
  data: [
    { tasks: 'train', learn: 'all' },
    { jsonl: '../chats.jsonl', weight: 0.5 },
    { parquet: 'https://example.org/a.parquet' },
  ],
  steps: 10,
  batchTokens: 2048,
  microBatchTokens: 1024,
  maxLength: 256,
  learningRate: { peak: 1e-3, warmupSteps: 2 },
};
const parse = (changes: object) => parseTrainingConfig({ ...base, ...changes }, '/a/b/train.json');

describe('the training config', () => {
  test('fills in the report’s values and finds files beside itself', () => {
    const config = parse({});
    expect(config.output).toBe('/a/b/runs/a');
    expect(config.model.config).toBe('/a/b/shape.json');
    expect(config.data[1]).toMatchObject({ jsonl: '/a/chats.jsonl', weight: 0.5 });
    expect(config.data[2]!.parquet).toBe('https://example.org/a.parquet');
    expect(config.adamw).toEqual({ beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0.1 });
    expect(config).toMatchObject({ clipNorm: 1, mtpLossWeight: 0.3, expertBiasRate: 1e-3 });
    expect(config.learningRate).toMatchObject({ schedule: 'cosine', floor: 0 });
  });

  test('of SFT has the report’s values where it gives none', () => {
    const { batchTokens, learningRate, ...rest } = base;
    const sft = (changes: object) =>
      parseTrainingConfig({ ...rest, stage: 'sft', ...changes }, '/a/b/sft.json');
    const config = sft({});
    expect(config).toMatchObject({ expertBiasRate: 1e-4, balanceCoefficient: 1e-6 });
    expect(config).toMatchObject({ batchSequences: 128, adamw: { epsilon: 1e-8, beta2: 0.95 } });
    expect(config.learningRate).toMatchObject({ schedule: 'cosine', peak: 5e-5, floor: 5e-6 });
    expect(config.zerosWatch).toMatchObject({ change: 0.25, stop: false });
    expect(sft({ learningRate: { peak: 1e-3 }, batchTokens: 2048 })).toMatchObject({
      learningRate: { peak: 1e-3, floor: 5e-6 },
      batchTokens: 2048,
    });
    expect(sft({ batchTokens: 2048 }).batchSequences).toBeUndefined();
    expect(parse({}).zerosWatch).toBeUndefined();
  });

  test.each<[object, string]>([
    [{ stage: 'dpo' }, 'stage must be one of pretraining, sft'],
    [{ batchTokens: undefined }, 'give one of "batchTokens" and "batchSequences"'],
    [{ batchSequences: 8 }, 'give one of "batchTokens" and "batchSequences"'],
    [{ step: 3 }, 'step is not known; check its spelling or remove it'],
    [{ adamw: { beta3: 1 } }, 'adamw.beta3 is not known; check its spelling or remove it'],
    [{ steps: undefined }, 'steps is missing'],
    [{ precision: 'f16' }, 'precision must be "auto", "f32" or "mixed"'],
    [{ steps: 0 }, 'steps must be 1 or more'],
    [{ steps: 'ten' }, 'steps must be a whole number'],
    [{ learningRate: { peak: -1 } }, 'learningRate.peak must be more than 0'],
    [{ learningRate: { peak: 1, floor: 2 } }, 'learningRate "floor" is above "peak"'],
    [{ learningRate: { schedule: 'linear', peak: 1 } }, 'learningRate.schedule must be "cosine"'],
    [{ batchTokens: 1500 }, '"batchTokens" must be a multiple of "microBatchTokens"'],
    [{ maxLength: 4096 }, '"maxLength" must be no more than "microBatchTokens"'],
    [{ data: [] }, 'data must not be empty'],
    [{ data: [{ weight: 1 }] }, 'data.0 give one of "tasks", "jsonl", "text" and "parquet"'],
    [{ data: [{ jsonl: 'a', families: { code: 1 } }] }, 'data.0 "families", "levels", "tokens"'],
    [{ data: [{ tasks: 'train', families: { code: 0 } }] }, 'data.0.families gives no family'],
    [{ data: [{ tasks: 'train', tokens: [9, 1] }] }, 'data.0.tokens the first is above the second'],
    [{ data: [{ text: 'a', fields: { text: '{b}' } }] }, 'data.0 "fields" goes with "jsonl"'],
    [{ data: [{ jsonl: 'a', fields: { user: '{b}' } }] }, 'data.0.fields give either "text", or'],
    [{ data: [{ tasks: 'train', families: { sums: 1 } }] }, 'data.0.families'],
    [{ model: {} }, 'model give one of "config" and "checkpoint"'],
    [{ model: { config: 'a', mtpHeads: 3 } }, 'model "mtpHeads" goes with "checkpoint"'],
    [{ model: { config: 'a', ropeTheta: 3 } }, 'model "ropeTheta" goes with "checkpoint"'],
    [{ model: { config: 'a', maxPositions: 3 } }, 'model "maxPositions" goes with "checkpoint"'],
    [{ model: { checkpoint: 'a' } }, 'give "tokenizer" with a new model, and leave it out with'],
    [{ tokenizer: undefined }, 'give "tokenizer" with a new model'],
  ])('says what is wrong with %j', (changes, message) => {
    expect(() => parse(changes)).toThrow(`/a/b/train.json: ${message}`);
  });
});
