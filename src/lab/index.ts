import { acceptance } from './acceptance/index.ts';
import { attention } from './attention/index.ts';
import { balance } from './balance/index.ts';
import { distillation } from './distillation/index.ts';
import { domains } from './domains/index.ts';
import type { Experiment } from './experiment.ts';
import { mismatch } from './mismatch/index.ts';
import { rollouts } from './rollouts/index.ts';
import { type LabEnd, type LabOptions, runExperiment } from './run-experiment.ts';
import { zeros } from './zeros/index.ts';

export type { LabEnd, LabOptions, Part } from './run-experiment.ts';

/** An experiment by name, whatever its config and outcomes are. */
export interface NamedExperiment {
  name: string;
  description: string;
  run(options: LabOptions): Promise<LabEnd>;
}

export const EXPERIMENTS: readonly NamedExperiment[] = [
  named(attention),
  named(acceptance),
  named(balance),
  named(domains),
  named(distillation),
  named(mismatch),
  named(rollouts),
  named(zeros),
];

function named<Config, Outcome>(experiment: Experiment<Config, Outcome>): NamedExperiment {
  const { name, description } = experiment;
  return { name, description, run: (options) => runExperiment(experiment, options) };
}
