/**
 * The report's table 7: the student before, its teachers, and the student after distillation, by domain, on
 * problems that none of them was trained on.
 */
import { dirname, resolve } from 'node:path';
import { findCheckpoint } from '../../checkpoint/checkpoint-directory.ts';
import { loadModel } from '../../checkpoint/load-model.ts';
import { Engine } from '../../engine/engine.ts';
import { releaseModel } from '../../model/weights.ts';
import { rolloutsOf } from '../../rl/rollout/rollout.ts';
import { type PolicyConfig, parsePolicyConfig } from '../../rl/run/config.ts';
import { sourceAnswers } from '../../rl/run/domain-accuracy.ts';
import { openQuestions, programThreadsOf, rewardOf } from '../../rl/run/questions.ts';
import { loadText } from '../../train/prepare.ts';
import { type Experiment, type Job, type JobContext, Stopped } from '../experiment.ts';
import {
  type DomainsConfig,
  type DomainsOutcome,
  domainsSchema,
  type JudgedCheckpoint,
} from './outcome.ts';
import { domainsReport } from './report.ts';

export const domains: Experiment<DomainsConfig, DomainsOutcome> = {
  name: 'domains',
  description: 'the student before, its teachers, and the student after distillation, by domain',
  schema: domainsSchema,
  jobs: (config) => config.checkpoints.map((checkpoint) => job(config, checkpoint)),
  report: domainsReport,
};

function job({ run }: DomainsConfig, { name, checkpoint }: JudgedCheckpoint): Job<DomainsOutcome> {
  return {
    name,
    settings: { run, checkpoint },
    async run(context) {
      const config = parsePolicyConfig({ ...run, output: context.directory }, context.configPath);
      const path = resolve(dirname(context.configPath), checkpoint);
      return { answers: await answersOf(context, path, config) };
    },
  };
}

async function answersOf(
  context: JobContext,
  checkpoint: string,
  config: PolicyConfig,
): Promise<DomainsOutcome['answers']> {
  const { text } = await loadText(await findCheckpoint(checkpoint));
  const model = await loadModel(context.device, checkpoint);
  const { concurrency } = config.schedule;
  const engine = new Engine(model, {
    sequences: concurrency,
    cacheTokens: concurrency * (config.maxLength + model.config.mtpHeads),
    vocabSize: text.tokenizer.vocabSize,
    cacheType: config.rolloutCache,
    prefixTokens: 0,
  });
  const threads = programThreadsOf(config);
  try {
    const rollout = rolloutsOf({
      engine,
      config: model.config,
      text,
      contextTokens: config.maxLength,
    });
    const heldOut = await openQuestions(config, 'test', {
      directory: context.directory,
      text,
      threads,
    });
    const parts = { rollout, reward: rewardOf(config) };
    const answers: DomainsOutcome['answers'] = {};
    for (const source of heldOut) {
      if (context.signal.aborted) throw new Stopped();
      context.progress(source.name);
      const { right } = await sourceAnswers(parts, source, config);
      answers[source.name] = right.map(Number).join('');
    }
    return answers;
  } finally {
    await threads.close();
    await engine.release();
    releaseModel(model);
  }
}
