/**
 * Num-zeros over a good SFT and over spoiled ones, and what the watch says of them and when: the report
 * steers its SFT by it, with the rate of the experts' bias and AdamW's ε (section 4.2).
 */
import { join } from 'node:path';
import { meanOf, thin } from '../../series.ts';
import { RunDirectory } from '../../train/run-directory.ts';
import type { Experiment, Job } from '../experiment.ts';
import { modelOf, type TrainingJson, train } from '../training.ts';
import {
  type ZerosConfig,
  type ZerosOutcome,
  type ZerosVariant,
  zerosJobName,
  zerosSchema,
} from './outcome.ts';
import { zerosReport } from './report.ts';

export const zeros: Experiment<ZerosConfig, ZerosOutcome> = {
  name: 'zeros',
  description: 'num-zeros over a good SFT and spoiled ones, and what its watch says',
  schema: zerosSchema,
  jobs: (config) =>
    config.variants.flatMap((variant) => config.seeds.map((seed) => job(config, variant, seed))),
  report: zerosReport,
};

/** Most points of a curve that are kept. */
const curvePoints = 200;

function job(
  { training, start }: ZerosConfig,
  variant: ZerosVariant,
  seed: number,
): Job<ZerosOutcome> {
  const name = zerosJobName(variant, seed);
  const json = { ...trainingOf(training, variant), seed };
  return {
    name,
    settings: { training: json, start },
    async run(context) {
      const model = await modelOf(context, name, json, start);
      const { metrics } = await train(context, name, { ...json, model });
      const last = metrics.evaluations.at(-1);
      if (!last) throw new Error('the trainings of this experiment need an "evaluation"');
      const points = metrics.steps.map(({ step, loss, zerosShare, deadExperts, ...rest }) => {
        if (zerosShare === undefined) throw new Error(`step ${step} of ${name} has no num-zeros`);
        return {
          ...{ step, loss, zeros: zerosShare, deadExperts },
          maxViolation: meanOf(rest.maxViolation),
          meanViolation: meanOf(rest.meanViolation),
        };
      });
      const lines = await (await RunDirectory.open(join(context.directory, name))).readMetrics();
      const said = lines.filter(({ type }) => type === 'warning') as unknown;
      const warnings = (said as ZerosOutcome['warnings']).map(({ step, kind, text }) => {
        return { step, kind, text };
      });
      return { heldOutLoss: last.loss, curve: thin(points, curvePoints), warnings };
    },
  };
}

function trainingOf(
  training: ZerosConfig['training'],
  { expertBiasRate, epsilon }: ZerosVariant,
): TrainingJson {
  return {
    ...training,
    ...(expertBiasRate !== undefined && { expertBiasRate }),
    ...(epsilon !== undefined && { adamw: { ...(training.adamw as object), epsilon } }),
  };
}
