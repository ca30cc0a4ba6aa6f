/**
 * What a step of distillation takes its time for: how fast rollouts are with drafts and without, what part
 * of a step they are, and how long it waits for its slowest sequence.
 */
import type { Experiment, Job } from '../experiment.ts';
import { beginAnew, trainPolicy } from '../policy.ts';
import {
  policyOf,
  type RolloutsConfig,
  type RolloutsOutcome,
  type RolloutVariant,
  rolloutsSchema,
} from './outcome.ts';
import { rolloutsReport } from './report.ts';

export const rollouts: Experiment<RolloutsConfig, RolloutsOutcome> = {
  name: 'rollouts',
  description: 'speed of rollouts with drafts and without, and a step’s time by part',
  schema: rolloutsSchema,
  jobs: (config) => config.variants.map((variant) => job(config, variant)),
  report: rolloutsReport,
};

function job(config: RolloutsConfig, variant: RolloutVariant): Job<RolloutsOutcome> {
  const { name } = variant;
  const { start } = config;
  const policy = policyOf(config, variant);
  return {
    name,
    settings: { policy, start },
    isTimed: true,
    async run(context) {
      await beginAnew(context, name);
      const { steps } = await trainPolicy(context, name, { policy, start });
      return {
        steps: steps.map(({ step, parts, rollouts: drawn, held, carried, staleness }) => ({
          ...{ step, ...parts, held, carried, staleness: staleness.max },
          ...{ tokens: drawn.tokens, acceptanceLength: drawn.acceptanceLength },
        })),
      };
    },
  };
}
