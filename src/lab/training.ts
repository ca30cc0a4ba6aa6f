/** Trainings of experiments: runs like any other, in directories of their own. */
import { createHash } from 'node:crypto';
import fs from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { Assistant } from '../engine/assistant.ts';
import { evaluateTasks } from '../eval/task-accuracy.ts';
import { familyNames, LEVELS } from '../tasks/index.ts';
import { parseTrainingConfig } from '../train/config.ts';
import { prepareText } from '../train/prepare.ts';
import { runTraining } from '../train/run.ts';
import { type MetricsHistory, readMetrics } from '../watch/metrics-reader.ts';
import { type JobContext, Stopped } from './experiment.ts';
import { tokensPerSecond } from './markdown.ts';

/** A training run's JSON but for what the experiment decides itself. */
export const trainingJson = z.record(z.string(), z.unknown());
export type TrainingJson = z.infer<typeof trainingJson>;

export interface TrainedRun {
  checkpoint: string;
  metrics: MetricsHistory;
}

/**
 * Trains to the end, from where it was stopped. Runs of one experiment share the tokenizer that the
 * first of them learns.
 *
 * @throws Stopped when asked to
 */
export async function train(
  context: JobContext,
  name: string,
  json: TrainingJson,
): Promise<TrainedRun> {
  const { device, directory, configPath, signal } = context;
  const output = join(directory, name);
  const shared = await sharedTokenizer(context, { ...json, output });
  const config = parseTrainingConfig({ ...json, output, ...shared }, configPath);
  for await (const event of runTraining(device, config, { signal })) {
    if (event.type === 'step') {
      const { step, loss } = event;
      const speed = tokensPerSecond(event.tokensPerSecond);
      context.progress(`step ${step} of ${config.steps}, loss ${loss.toFixed(3)}, ${speed}`);
    }
    if (event.type !== 'finish') continue;
    if (event.reason === 'stopped') throw new Stopped();
    return { checkpoint: event.checkpoint!, metrics: await readMetrics(output) };
  }
  throw new Error('a training ended without saying so');
}

/** A training that makes the checkpoint to begin with, in the place of a run's own. */
export const startSchema = trainingJson.optional();

/** What a run of this name begins with: its own, or what is made for it. */
export async function modelOf(
  context: JobContext,
  name: string,
  { model }: TrainingJson,
  start: TrainingJson | undefined,
): Promise<unknown> {
  if (!start) return model;
  return { checkpoint: (await train(context, `${name}-start`, start)).checkpoint };
}

async function sharedTokenizer(
  { directory, configPath, progress }: JobContext,
  json: TrainingJson,
): Promise<object> {
  const config = parseTrainingConfig(json, configPath);
  if (!config.tokenizer?.train) return {};
  const { tokenizer, data } = config;
  const hash = createHash('sha256').update(JSON.stringify({ tokenizer, data })).digest('hex');
  const place = join(directory, `tokenizer-${hash.slice(0, 12)}`);
  const isThere = await fs.stat(place).then(
    () => true,
    () => false,
  );
  if (!isThere) {
    progress('learning the tokenizer');
    await fs.mkdir(dirname(place), { recursive: true });
    // Several processes may do this at the same time; they learn the same, whatever their seeds.
    const own = await fs.mkdtemp(`${place}-`);
    await prepareText({ ...config, seed: 1 }, own);
    await fs.rename(own, place).catch(() => fs.rm(own, { recursive: true }));
  }
  return { tokenizer: { directory: place } };
}

/** Questions whose answers are right or wrong. */
export const questionsSchema = z.strictObject({
  families: z.array(z.enum([...familyNames])).min(1),
  levels: z.array(z.enum([...LEVELS])).min(1),
  /** Of each family, in each language, with and without thinking. */
  problems: z.int().min(1),
  /** Tokens of the prompts, of families that can be made so long. */
  tokens: z.int().min(1).optional(),
  /** Most tokens of an answer. */
  maxTokens: z.int().min(1).default(200),
});
export type Questions = z.infer<typeof questionsSchema>;

/** Share of right answers. */
export async function shareRight(
  { device, progress }: JobContext,
  checkpoint: string,
  { tokens, ...questions }: Questions,
): Promise<number> {
  const assistant = await Assistant.load(device, checkpoint);
  try {
    const options = {
      ...questions,
      seed: 1,
      ...(tokens !== undefined && { promptTokens: tokens }),
    };
    let [right, asked] = [0, 0];
    for await (const { correct, problems } of evaluateTasks(assistant, options, progress)) {
      right += correct;
      asked += problems;
    }
    return right / asked;
  } finally {
    assistant.release();
  }
}
