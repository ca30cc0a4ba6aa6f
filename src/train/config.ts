/** What a training run is: the JSON file that `mimoflash train` is given. */
import { dirname, resolve } from 'node:path';
import { z } from 'zod';
import {
  count,
  countOrZero,
  natural,
  parseConfig,
  positive,
  share,
  text,
} from '../config-fields.ts';
import { type DataConfig, dataSchema, withPaths } from '../data/data-config.ts';
import { defaultCacheDirectory } from '../data/open-sources.ts';
import { readJsonFile } from '../json-file.ts';
import { stageNames, withStage } from './stages.ts';

const modelSchema = z
  .strictObject({
    /**
     * Shape of a new model: a hub config.json, by path or in place. `vocab_size`, `eos_token_id` and
     * `pad_token_id` may be left out: they are the tokenizer's.
     */
    config: z
      .union([text, z.record(z.string(), z.unknown())], 'must be a path or an object')
      .optional(),
    /** A checkpoint to begin with, weights and tokenizer. */
    checkpoint: text.optional(),
    /** With `checkpoint`: MTP heads wanted; those it lacks begin as copies of its first. */
    mtpHeads: countOrZero.optional(),
    /** With `checkpoint`: base of the global layers' rotary embeddings, raised for longer documents. */
    ropeTheta: positive.optional(),
    /** With `checkpoint`: longest context, in tokens. */
    maxPositions: count.optional(),
  })
  .refine(({ config, checkpoint }) => one(config, checkpoint), {
    message: 'give one of "config" and "checkpoint"',
  })
  .refine(({ config, mtpHeads }) => !(config && mtpHeads !== undefined), {
    message: '"mtpHeads" goes with "checkpoint"; in a config it is num_nextn_predict_layers',
  })
  .refine(({ config, ropeTheta }) => !(config && ropeTheta !== undefined), {
    message: '"ropeTheta" goes with "checkpoint"; in a config it is rope_theta',
  })
  .refine(({ config, maxPositions }) => !(config && maxPositions !== undefined), {
    message: '"maxPositions" goes with "checkpoint"; in a config it is max_position_embeddings',
  });

const tokenizerSchema = z
  .strictObject({
    /** A directory with tokenizer.json, and perhaps a chat template. */
    directory: text.optional(),
    /** Learn one from the data: entries wanted in all, and documents to learn from. */
    train: z.strictObject({ vocabSize: count, samples: count.default(20_000) }).optional(),
  })
  .refine(({ directory, train }) => one(directory, train), {
    message: 'give one of "directory" and "train"',
  });

export const learningRateSchema = z
  .strictObject({
    schedule: z
      .enum(['cosine', 'warmup-stable-decay'], 'must be "cosine" or "warmup-stable-decay"')
      .default('cosine'),
    peak: positive,
    /** Rate of the last step. */
    floor: natural.default(0),
    warmupSteps: countOrZero.default(0),
    /** Of `warmup-stable-decay`: how many of the last steps the rate falls. */
    decaySteps: countOrZero.default(0),
  })
  .refine(({ peak, floor }) => floor <= peak, { message: '"floor" is above "peak"' });

const trainingSchema = z
  .strictObject({
    /** What is left out is set as the report sets it in this stage. */
    stage: z.enum(stageNames, `must be one of ${stageNames.join(', ')}`).default('pretraining'),
    /** Directory of the run: checkpoints, metrics, tokenizer. A run that is there is resumed. */
    output: text,
    /** Of the initial weights and of the order of the data. */
    seed: countOrZero.default(1),
    model: modelSchema,
    /** Not with `model.checkpoint`, which has its own. */
    tokenizer: tokenizerSchema.optional(),
    data: z.array(dataSchema, 'must be a list').min(1, 'must not be empty'),
    /** Threads that make samples of tasks; 0 for the thread that trains. */
    dataThreads: countOrZero.default(0),
    /** Directory of what can be made again: downloads and shards. */
    cache: text.default(defaultCacheDirectory()),

    /**
     * What products are computed in; `auto` is mixed on a GPU with matrix units, else f32. A run that
     * goes on keeps what `auto` began with.
     */
    precision: z.enum(['auto', 'f32', 'mixed'], 'must be "auto", "f32" or "mixed"').default('auto'),
    /** Optimizer steps. */
    steps: count,
    /** Most tokens of a step, over all its micro-batches. */
    batchTokens: count.optional(),
    /** Or so many sequences, in as many micro-batches as they need. */
    batchSequences: count.optional(),
    /** Most tokens computed at once: what memory allows. */
    microBatchTokens: count,
    /** `layers`: less memory, for about a third more computing; the steps are the same. */
    recompute: z.enum(['none', 'layers'], 'must be "none" or "layers"').default('none'),
    /** Longest document, in tokens; longer ones are cut. */
    maxLength: z.int('must be a whole number').min(2, 'must be 2 or more'),

    learningRate: learningRateSchema,
    adamw: z
      .strictObject({
        beta1: share.default(0.9),
        beta2: share.default(0.95),
        epsilon: positive.default(1e-8),
        weightDecay: natural.default(0.1),
      })
      .prefault({}),
    /** Largest norm of the gradient. */
    clipNorm: positive.default(1),
    /** λ of the MTP loss: 0.3 in the report's first stage, then 0.1. */
    mtpLossWeight: natural.default(0.3),
    /** What an expert's selection bias moves by in a step: 1e-3 in pre-training, 1e-4 in SFT. */
    expertBiasRate: natural.default(1e-3),
    /** Of the sequence-wise balance loss: 1e-5 in pre-training, 1e-6 in SFT. */
    balanceCoefficient: natural.default(1e-5),

    /** Warns when num-zeros rises or falls, and may stop the run: see `ZerosWatch`. */
    zerosWatch: z
      .strictObject({
        settle: countOrZero.default(20),
        window: z.int('must be a whole number').min(8, 'must be 8 or more').default(50),
        change: positive.default(0.25),
        deviations: positive.default(4),
        stop: z.boolean('must be true or false').default(false),
      })
      .optional(),

    /** In steps. */
    checkpointEvery: count.default(500),
    /** How many checkpoints are kept. */
    keepCheckpoints: count.default(2),
    /** Loss on held-out data: how often in steps, and on how many tokens. */
    evaluation: z
      .strictObject({
        every: count,
        tokens: count.default(16_384),
        data: z.array(dataSchema, 'must be a list').min(1, 'must not be empty'),
      })
      .optional(),
  })
  .refine(({ batchTokens, batchSequences }) => one(batchTokens, batchSequences), {
    message: 'give one of "batchTokens" and "batchSequences"',
  })
  .refine(({ batchTokens = 0, microBatchTokens }) => batchTokens % microBatchTokens === 0, {
    message: '"batchTokens" must be a multiple of "microBatchTokens"',
  })
  .refine(({ maxLength, microBatchTokens }) => maxLength <= microBatchTokens, {
    message: '"maxLength" must be no more than "microBatchTokens"',
  })
  .refine(({ learningRate: rate, steps }) => rate.warmupSteps + rate.decaySteps <= steps, {
    message: '"warmupSteps" and "decaySteps" of "learningRate" are more than "steps"',
  })
  .refine(
    ({ model, tokenizer }) => (model.checkpoint === undefined) === (tokenizer !== undefined),
    {
      message: 'give "tokenizer" with a new model, and leave it out with "model.checkpoint"',
    },
  );

export type TrainingConfig = z.infer<typeof trainingSchema>;
export type { DataConfig } from '../data/data-config.ts';

/**
 * Reads a config file. Paths in it are relative to its folder and come back absolute.
 *
 * @throws UserError naming the file and the field
 */
export async function readTrainingConfig(path: string): Promise<TrainingConfig> {
  return parseTrainingConfig(await readJsonFile(path), path);
}

/** @param path of the file it comes from, for messages and for paths in it */
export function parseTrainingConfig(json: unknown, path: string): TrainingConfig {
  const config = parseConfig(trainingSchema, withStage(json), path);
  const absolute = (relative: string) => resolve(dirname(path), relative);
  const locate = (entry: DataConfig) => withPaths(entry, absolute);
  const { model, tokenizer, evaluation } = config;
  return {
    ...config,
    output: absolute(config.output),
    cache: absolute(config.cache),
    model: {
      ...model,
      ...(typeof model.config === 'string' && { config: absolute(model.config) }),
      ...(model.checkpoint !== undefined && { checkpoint: absolute(model.checkpoint) }),
    },
    ...(tokenizer?.directory !== undefined && {
      tokenizer: { directory: absolute(tokenizer.directory) },
    }),
    data: config.data.map(locate),
    ...(evaluation && { evaluation: { ...evaluation, data: evaluation.data.map(locate) } }),
  };
}

function one(...values: unknown[]): boolean {
  return values.filter((value) => value !== undefined).length === 1;
}
