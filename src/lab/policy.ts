/** Runs of reinforcement learning of experiments: runs like any other, in directories of their own. */
import fs from 'node:fs/promises';
import { join } from 'node:path';
import { type PolicyConfig, parsePolicyConfig } from '../rl/run/config.ts';
import { runPolicy } from '../rl/run/policy-run.ts';
import type { PolicyStepMetrics } from '../rl/run/policy-step.ts';
import { RunDirectory } from '../train/run-directory.ts';
import { type JobContext, Stopped } from './experiment.ts';
import { tokensPerSecond } from './markdown.ts';
import { modelOf, startSchema, type TrainingJson, trainingJson } from './training.ts';

/** What experiments on reinforcement learning are told of their runs. */
export const policyFields = {
  /** A run's JSON but for what the experiment decides itself. */
  policy: trainingJson,
  start: startSchema,
};

export interface PolicyJson {
  policy: TrainingJson;
  start?: TrainingJson | undefined;
}

export interface PolicyHistory {
  steps: PolicyStepMetrics[];
  /** Share of right answers by source. */
  accuracies: { step: number; scores: Record<string, number> }[];
}

/** The config of a run in its directory; makes what it begins with, if that is to be made. */
export async function policyConfigOf(
  context: JobContext,
  name: string,
  { policy, start }: PolicyJson,
): Promise<PolicyConfig> {
  const output = join(context.directory, name);
  const model = await modelOf(context, name, policy, start);
  return parsePolicyConfig({ ...policy, model, output }, context.configPath);
}

/**
 * Trains to the end, from where it was stopped.
 *
 * @throws Stopped when asked to
 */
export async function trainPolicy(
  context: JobContext,
  name: string,
  json: PolicyJson,
): Promise<PolicyHistory> {
  const { device, signal, progress } = context;
  const config = await policyConfigOf(context, name, json);
  for await (const event of runPolicy(device, config, { signal })) {
    if (event.type === 'step') {
      const { step, reward, rollouts } = event;
      const speed = `${tokensPerSecond(rollouts.tokensPerSecond)} drawn`;
      progress(`step ${step} of ${config.steps}, reward ${reward.toFixed(3)}, ${speed}`);
    }
    if (event.type !== 'finish') continue;
    if (event.reason === 'stopped') throw new Stopped();
    return readHistory(config.output);
  }
  throw new Error('a run ended without saying so');
}

/**
 * Forgets what there is of a run. One that goes on is given what was sampled before, in no time and without
 * what was counted meanwhile: that is no measurement.
 */
export async function beginAnew({ directory }: JobContext, name: string): Promise<void> {
  await fs.rm(join(directory, name), { recursive: true, force: true });
}

/** All that a run has written, also before it was stopped. */
async function readHistory(output: string): Promise<PolicyHistory> {
  const lines = await (await RunDirectory.open(output)).readMetrics();
  const of = (kind: string) => lines.filter(({ type }) => type === kind) as unknown;
  // What was evaluated before the first checkpoint is evaluated again by a run that begins anew.
  const accuracies = new Map(
    (of('accuracy') as PolicyHistory['accuracies']).map((line) => [line.step, line]),
  );
  return { steps: of('step') as PolicyStepMetrics[], accuracies: [...accuracies.values()] };
}
