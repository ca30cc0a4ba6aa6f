/**
 * The report's figure 6: what the student learns of rewards alone, of its teachers alone, and of both, from
 * the same start, on the same prompts, with as many samples.
 */
import { thin } from '../../series.ts';
import type { Experiment, Job } from '../experiment.ts';
import { trainPolicy } from '../policy.ts';
import {
  type DistillationConfig,
  type DistillationOutcome,
  distillationJobName,
  distillationSchema,
  policyOf,
  type Signal,
  signals,
} from './outcome.ts';
import { distillationReport } from './report.ts';

export const distillation: Experiment<DistillationConfig, DistillationOutcome> = {
  name: 'distillation',
  description: 'outcome rewards, distillation, and both, by step',
  schema: distillationSchema,
  jobs: (config) =>
    config.seeds.flatMap((seed) => signals.map((signal) => job(config, signal, seed))),
  report: distillationReport,
};

/** Most points of a curve that are kept. */
const curvePoints = 120;

function job(config: DistillationConfig, signal: Signal, seed: number): Job<DistillationOutcome> {
  const name = distillationJobName(signal, seed);
  const { start } = config;
  const policy = policyOf(config, signal);
  return {
    name,
    settings: { seed, policy, start },
    async run(context) {
      const { steps, accuracies } = await trainPolicy(context, name, {
        policy: { ...policy, seed },
        start,
      });
      const points = steps.map(({ step, reward, algorithm: { teacherGap = null } }) => {
        return { step, reward, teacherGap };
      });
      return {
        accuracies: accuracies.map(({ step, scores }) => ({ step, scores })),
        curve: thin(points, curvePoints),
      };
    },
  };
}
