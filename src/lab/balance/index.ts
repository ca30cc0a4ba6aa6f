/**
 * Load balance of experts under several rates at which their selection bias moves, and num-zeros
 * beside it, which the report watches (section 4.2).
 */

import { meanOf, thin } from '../../series.ts';
import type { Experiment, Job } from '../experiment.ts';
import { train } from '../training.ts';
import {
  type BalanceConfig,
  type BalanceOutcome,
  type BalancePoint,
  balanceJobName,
  balanceSchema,
} from './outcome.ts';
import { balanceReport } from './report.ts';

export const balance: Experiment<BalanceConfig, BalanceOutcome> = {
  name: 'balance',
  description: 'load balance of experts and num-zeros under good and bad bias rates',
  schema: balanceSchema,
  jobs: (config) =>
    config.variants.flatMap((variant) => config.seeds.map((seed) => job(config, variant, seed))),
  report: balanceReport,
};

/** Most points of a curve that are kept. */
const curvePoints = 120;

function job(
  { training }: BalanceConfig,
  { name: variant, ...rates }: BalanceConfig['variants'][number],
  seed: number,
): Job<BalanceOutcome> {
  const name = balanceJobName(variant, seed);
  return {
    name,
    settings: { rates, seed, training },
    async run(context) {
      const { metrics } = await train(context, name, { ...training, ...rates, seed });
      const { steps, evaluations } = metrics;
      const last = evaluations.at(-1);
      if (!last) throw new Error('the trainings of this experiment need an "evaluation"');
      const points = steps.map(({ step, loss, numZeros, deadExperts, ...rest }) => ({
        step,
        loss,
        maxViolation: meanOf(rest.maxViolation),
        meanViolation: meanOf(rest.meanViolation),
        numZeros,
        deadExperts,
      }));
      const ending = points.slice(-Math.ceil(points.length / 5));
      const mean = (value: (point: BalancePoint) => number) => meanOf(ending.map(value));
      return {
        heldOutLoss: last.loss,
        end: {
          loss: mean(({ loss }) => loss),
          maxViolation: mean(({ maxViolation }) => maxViolation),
          meanViolation: mean(({ meanViolation }) => meanViolation),
          numZeros: mean(({ numZeros }) => numZeros),
          deadExperts: mean(({ deadExperts }) => deadExperts),
        },
        curve: thin(points, curvePoints),
      };
    },
  };
}
