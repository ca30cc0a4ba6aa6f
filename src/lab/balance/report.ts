import { meanOf } from '../../series.ts';
import type { Finding, Outcomes, Report } from '../experiment.ts';
import { table, withError } from '../markdown.ts';
import { compare, type Spread, spread, verdictOf } from '../statistics.ts';
import {
  type BalanceConfig,
  type BalanceOutcome,
  type BalancePoint,
  balanceJobName,
} from './outcome.ts';

interface Measured {
  name: string;
  rate: number;
  seeds: BalanceOutcome[];
}

/** The report's in pre-training. */
const reportedRate = 1e-3;

const titles: Record<Exclude<keyof BalancePoint, 'loss'>, string> = {
  maxViolation: 'the busiest expert’s load over the mean, less 1',
  meanViolation: 'mean distance of a load from the mean load',
  numZeros: 'elements of the gradient that are exactly zero',
  deadExperts: 'experts without any gradient',
};

export function balanceReport(config: BalanceConfig, outcomes: Outcomes<BalanceOutcome>): Report {
  const measured = config.variants.map(({ name, expertBiasRate }): Measured => {
    const seeds = config.seeds.map((seed) => outcomes.get(balanceJobName(name, seed))!);
    return { name, rate: expertBiasRate, seeds };
  });
  const keys = Object.keys(titles) as (keyof typeof titles)[];
  const rows = measured.map(({ name, seeds }) => [
    name,
    withError(spread(seeds.map(({ heldOutLoss }) => heldOutLoss))),
    ...keys.map((key) => withError(at(seeds, key), key === 'numZeros' ? 0 : 2)),
  ]);
  return {
    title: 'Load balance of experts and num-zeros',
    method: `The same model and data with other rates of the experts' selection bias and other coefficients of the balance loss, ${config.seeds.length} seeds each. Violations are means over layers; the table has means over the last fifth of the steps, with standard errors over seeds.`,
    findings: [...balanceFindings(measured), ...zeroFindings(measured)],
    sections: [
      {
        heading: 'At the end of training',
        text: table(['variant', 'held-out loss', ...keys], rows),
        plots: [],
      },
      {
        heading: 'While training',
        text: 'Means over seeds.',
        plots: keys.map((key) => ({
          name: `balance-${key}`,
          plot: {
            title: titles[key],
            x: { label: 'step' },
            y: { label: key, include: 0 },
            series: measured.map(({ name, seeds }) => ({
              name,
              points: seeds[0]!.curve.map(({ step }, i) => {
                return [step, meanOf(seeds.map(({ curve }) => curve[i]![key]))] as const;
              }),
            })),
          },
        })),
      },
    ],
  };
}

function at(seeds: readonly BalanceOutcome[], key: keyof BalancePoint): Spread {
  return spread(seeds.map(({ end }) => end[key]));
}

/** The report's rate against all others. */
function balanceFindings(measured: readonly Measured[]): Finding[] {
  const good = measured.find(({ rate }) => rate === reportedRate);
  if (!good) return [];
  const own = at(good.seeds, 'meanViolation');
  return measured
    .filter(({ rate }) => rate !== reportedRate)
    .map(({ name, seeds }): Finding => {
      const theirs = at(seeds, 'meanViolation');
      return {
        claim: 'a bias rate of 1e-3 balances the experts in pre-training',
        measured: `mean violation ${withError(own, 2)}; ${name}: ${withError(theirs, 2)}`,
        verdict: verdictOf(compare(own, theirs), 'lower'),
      };
    });
}

/** Over all runs, whether num-zeros is high where the balance is bad. */
function zeroFindings(measured: readonly Measured[]): Finding[] {
  const ends = measured.flatMap(({ seeds }) => seeds.map(({ end }) => end));
  const correlation = correlationOf(
    ends.map(({ meanViolation }) => meanViolation),
    ends.map(({ numZeros }) => numZeros),
  );
  if (Number.isNaN(correlation)) return [];
  return [
    {
      claim: 'num-zeros rises when the balance of the experts gets worse (section 4.2)',
      measured: `correlation of num-zeros and mean violation over ${ends.length} runs: ${correlation.toFixed(2)}`,
      verdict: correlation > 0.5 ? 'holds' : correlation < 0 ? 'does not hold' : 'not decided',
    },
  ];
}

function correlationOf(xs: readonly number[], ys: readonly number[]): number {
  const [x, y] = [meanOf(xs), meanOf(ys)];
  const sum = (value: (i: number) => number) => xs.reduce((total, _, i) => total + value(i), 0);
  const together = sum((i) => (xs[i]! - x) * (ys[i]! - y));
  return together / Math.sqrt(sum((i) => (xs[i]! - x) ** 2) * sum((i) => (ys[i]! - y) ** 2));
}
