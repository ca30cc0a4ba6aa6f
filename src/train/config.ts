/** What a training run is: the JSON file that `mimoflash train` is given. */
import { dirname, resolve } from 'node:path';
import { z } from 'zod';
import { count, countOrZero, natural, parseConfig, positive, text } from '../config-fields.ts';
import { type DataConfig, dataSchema, withPaths } from '../data/data-config.ts';
import { defaultCacheDirectory } from '../data/open-sources.ts';
import { readJsonFile } from '../json-file.ts';
import { adamwSchema, fitsMicroBatch, fitsSteps, runFields } from './run-config.ts';
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

const trainingSchema = z
  .strictObject({
    /** What is left out is set as the report sets it in this stage. */
    stage: z.enum(stageNames, `must be one of ${stageNames.join(', ')}`).default('pretraining'),
    ...runFields,
    model: modelSchema,
    /** Not with `model.checkpoint`, which has its own. */
    tokenizer: tokenizerSchema.optional(),
    /** Documents longer than `maxLength` are cut. */
    data: z.array(dataSchema, 'must be a list').min(1, 'must not be empty'),
    /** Threads that make samples of tasks; 0 for the thread that trains. */
    dataThreads: countOrZero.default(0),
    /** Directory of what can be made again: downloads and shards. */
    cache: text.default(defaultCacheDirectory()),

    /** Most tokens of a step, over all its micro-batches. */
    batchTokens: count.optional(),
    /** Or so many sequences, in as many micro-batches as they need. */
    batchSequences: count.optional(),

    adamw: adamwSchema({ weightDecay: 0.1 }),
    /** λ of the MTP loss: 0.3 in the report's first stage, then 0.1. */
    mtpLossWeight: natural.default(0.3),
    /** What an expert's selection bias moves by in a step: 1e-3 in pre-training, 1e-4 in SFT. */
    expertBiasRate: natural.default(1e-3),
    /** Of the sequence-wise balance loss: 1e-5 in pre-training, 1e-6 in SFT. */
    balanceCoefficient: natural.default(1e-5),

    /** Warns when num-zeros rises or falls or experts starve, and may stop the run: see `ZerosWatch`. */
    zerosWatch: z
      .strictObject({
        settle: countOrZero.default(20),
        window: z.int('must be a whole number').min(8, 'must be 8 or more').default(50),
        change: positive.default(0.25),
        deviations: positive.default(4),
        starving: positive.default(0.05),
        stop: z.boolean('must be true or false').default(false),
      })
      .optional(),

    /** In steps. */
    checkpointEvery: count.default(500),
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
  .refine(...fitsMicroBatch)
  .refine(...fitsSteps)
  .refine(
    ({ model, tokenizer }) => (model.checkpoint === undefined) === (tokenizer !== undefined),
    {
      message: 'give "tokenizer" with a new model, and leave it out with "model.checkpoint"',
    },
  );

export type TrainingConfig = z.infer<typeof trainingSchema>;

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
