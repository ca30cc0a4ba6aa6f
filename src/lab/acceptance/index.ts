/**
 * How many tokens of a step are accepted, against how uncertain the next token is (the report's figure
 * 7), and what that gains by batch size (its table 10).
 */
import { dirname, resolve } from 'node:path';
import { findCheckpoint } from '../../checkpoint/checkpoint-directory.ts';
import { loadModel } from '../../checkpoint/load-model.ts';
import { DecodingBatch } from '../../eval/bench-inference.ts';
import { releaseModel } from '../../model/weights.ts';
import { loadTextFiles } from '../../text/tokenizer-files.ts';
import type { Experiment, Job, JobContext } from '../experiment.ts';
import { type MeasuredModel, measureAcceptance } from './measure.ts';
import {
  type AcceptanceConfig,
  type AcceptanceOutcome,
  acceptanceSchema,
  type StepTimes,
} from './outcome.ts';
import { acceptanceReport } from './report.ts';

export const acceptance: Experiment<AcceptanceConfig, AcceptanceOutcome> = {
  name: 'acceptance',
  description: 'acceptance length against entropy by family, and the speed-up that it gives',
  schema: acceptanceSchema,
  jobs: (config) => [
    ...config.families.map((family) => familyJob(config, family)),
    speedJob(config),
  ],
  report: acceptanceReport,
};

function familyJob(config: AcceptanceConfig, family: string): Job<AcceptanceOutcome> {
  const { families, speed, ...settings } = config;
  return {
    name: family,
    settings: { family, ...settings },
    async run(context) {
      const loaded = await load(context, config);
      try {
        const levels = [];
        for (const level of config.levels) {
          context.progress(level);
          const measured = await measureAcceptance(loaded, { ...settings, family, level });
          levels.push({ level, ...measured });
        }
        return { kind: 'family', levels, heads: loaded.model.config.mtpHeads };
      } finally {
        releaseModel(loaded.model);
      }
    },
  };
}

function speedJob(config: AcceptanceConfig): Job<AcceptanceOutcome> {
  const { checkpoint, speed } = config;
  return {
    name: 'speed',
    settings: { checkpoint, speed },
    isTimed: true,
    async run(context) {
      const { model } = await load(context, config);
      try {
        const steps: StepTimes[] = [];
        for (const sequences of speed.sequences) {
          context.progress(`${sequences} sequences`);
          const milliseconds = async (drafts: number) => {
            const batch = new DecodingBatch(model, { sequences, length: speed.length }, { drafts });
            try {
              batch.open();
              // Rows of prompts that pass the trunk together.
              batch.prefill(Math.max(1, Math.floor(4096 / speed.length)));
              await batch.steps({ seconds: speed.seconds / 3 });
              const { steps, seconds } = await batch.steps({ seconds: speed.seconds });
              return (1000 * seconds) / steps;
            } finally {
              batch.release();
            }
          };
          steps.push({
            sequences,
            plainMilliseconds: await milliseconds(0),
            draftMilliseconds: await milliseconds(model.config.mtpHeads),
          });
        }
        return { kind: 'speed', steps };
      } finally {
        releaseModel(model);
      }
    },
  };
}

async function load(
  { device, configPath }: JobContext,
  { checkpoint }: AcceptanceConfig,
): Promise<MeasuredModel> {
  const path = resolve(dirname(configPath), checkpoint);
  const text = await loadTextFiles(await findCheckpoint(path));
  const model = await loadModel(device, path);
  text.tokenizer.assertFits(model.config);
  return { model, text };
}
