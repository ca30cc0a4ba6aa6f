import { meanOf } from '../../series.ts';
import type { Finding, Outcomes, Report, Section } from '../experiment.ts';
import { table, withError } from '../markdown.ts';
import type { Plot, Series } from '../plot.ts';
import { compareToZero, type Spread, spread, verdictOf } from '../statistics.ts';
import {
  type DistillationConfig,
  type DistillationOutcome,
  distillationJobName,
  type Signal,
  signals,
} from './outcome.ts';

interface Measured {
  signal: Signal;
  seeds: DistillationOutcome[];
}

/** Of a domain, or the mean over all of them. */
type Value = (scores: Readonly<Record<string, number>>) => number;

const mean: Value = (scores) => meanOf(Object.values(scores));

export function distillationReport(
  config: DistillationConfig,
  outcomes: Outcomes<DistillationOutcome>,
): Report {
  const measured = signals.map((signal): Measured => {
    const seeds = config.seeds.map((seed) => outcomes.get(distillationJobName(signal, seed))!);
    return { signal, seeds };
  });
  const { alpha } = config.policy.mopd;
  return {
    title: 'Outcome rewards, distillation, and both',
    method: `Three ways to teach the same student, ${config.seeds.length} seeds each: outcome rewards only (GRPO over all domains), distillation only (equation 9 with α = 0), and both (α = ${alpha}). Prompts, sequences of a step, learning rate and steps are the same, and groups without signal are replaced in none. Shares of right answers are greedy, on held-out problems that are the same for all three of a seed; errors are standard errors over seeds, and a difference counts if Student's test on the differences of the seeds is sure of it at 95 %.`,
    findings: findings(measured),
    sections: [endSection(measured), meanSection(measured), ...domainSections(measured)],
  };
}

/** Of each seed, at an evaluation. */
function at(seeds: readonly DistillationOutcome[], index: number, value: Value): number[] {
  return seeds.map(({ accuracies }) => value(accuracies.at(index)!.scores));
}

/** Over all evaluations but the first, which is of the student before: the area under a seed's curve. */
function along(seeds: readonly DistillationOutcome[], value: Value): number[] {
  return seeds.map(({ accuracies }) =>
    meanOf(accuracies.slice(1).map(({ scores }) => value(scores))),
  );
}

/** The three of a seed share their prompts and problems, so that differences are taken seed by seed. */
function findings(measured: readonly Measured[]): Finding[] {
  const [outcome, distilled, both] = signals.map(
    (wanted) => measured.find(({ signal }) => signal === wanted)!.seeds,
  ) as [DistillationOutcome[], DistillationOutcome[], DistillationOutcome[]];
  const finding = (
    claim: string,
    names: string,
    [ones, others]: [readonly number[], readonly number[]],
    judge: (difference: Spread) => Finding['verdict'],
  ): Finding => {
    const difference = spread(ones.map((one, i) => one - others[i]!));
    const values = `${withError(spread(ones))} and ${withError(spread(others))}`;
    return {
      claim,
      measured: `${names}: ${values}, difference ${withError(difference)}`,
      verdict: judge(difference),
    };
  };
  return [
    finding(
      'distillation teaches faster than outcome rewards alone (figure 6)',
      'mean over domains and steps, distillation only and outcome reward only',
      [along(distilled, mean), along(outcome, mean)],
      isHigher,
    ),
    finding(
      'distillation with rewards ends above rewards alone (figure 6)',
      'mean over domains at the end, both and outcome reward only',
      [at(both, -1, mean), at(outcome, -1, mean)],
      isHigher,
    ),
    finding(
      'distillation with rewards ends no lower than without (figure 6)',
      'mean over domains at the end, both and distillation only',
      [at(both, -1, mean), at(distilled, -1, mean)],
      isNoLower,
    ),
  ];
}

function isHigher(difference: Spread): Finding['verdict'] {
  return verdictOf(compareToZero(difference), 'higher');
}

function isNoLower(difference: Spread): Finding['verdict'] {
  if (compareToZero(difference) === 'lower') return 'does not hold';
  return difference.count > 1 && difference.mean >= 0 ? 'holds' : 'not decided';
}

function domainsOf(measured: readonly Measured[]): string[] {
  return Object.keys(measured[0]!.seeds[0]!.accuracies[0]!.scores);
}

function endSection(measured: readonly Measured[]): Section {
  const domains = domainsOf(measured);
  const values = [
    mean,
    ...domains.map(
      (domain): Value =>
        (scores) =>
          scores[domain]!,
    ),
  ];
  const row = (name: string, seeds: readonly DistillationOutcome[], index: number) => [
    name,
    ...values.map((value) => withError(spread(at(seeds, index, value)))),
  ];
  const rows = [
    row('before', measured[0]!.seeds, 0),
    ...measured.map(({ signal, seeds }) => row(signal, seeds, -1)),
  ];
  const head = ['learning from', 'mean over domains', ...domains];
  return { heading: 'At the end', text: table(head, rows), plots: [] };
}

function plotOf(measured: readonly Measured[], title: string, value: Value): Plot {
  return {
    title,
    x: { label: 'step' },
    y: { label: 'right answers, %' },
    series: measured.map(({ signal, seeds }): Series => {
      const steps = seeds[0]!.accuracies.map(({ step }) => step);
      const spreads = steps.map((_, i) => spread(at(seeds, i, value)));
      return {
        name: signal,
        draw: 'both',
        points: spreads.map((own, i) => [steps[i]!, 100 * own.mean] as const),
        bounds: spreads.map((own, i) => {
          return [steps[i]!, 100 * (own.mean - own.error), 100 * (own.mean + own.error)] as const;
        }),
      };
    }),
  };
}

function meanSection(measured: readonly Measured[]): Section {
  const curves = measured.map(({ signal, seeds }) => {
    const steps = seeds[0]!.curve.map(({ step }) => step);
    const points = (value: (point: DistillationOutcome['curve'][number]) => number | null) =>
      steps.map(
        (step, i) => [step, meanOf(seeds.map(({ curve }) => value(curve[i]!) ?? NaN))] as const,
      );
    return { signal, rewards: points(({ reward }) => reward), gaps: points((p) => p.teacherGap) };
  });
  const taught = curves.filter(({ gaps }) => gaps.some(([, gap]) => Number.isFinite(gap)));
  return {
    heading: 'By step',
    text: 'Means over seeds; bands are one standard error to both sides.',
    plots: [
      {
        name: 'distillation-mean',
        plot: plotOf(measured, 'Right answers on held-out problems, mean over domains', mean),
      },
      {
        name: 'distillation-reward',
        plot: {
          title: 'Reward while training, of sequences drawn at temperature 1',
          x: { label: 'step' },
          y: { label: 'mean reward' },
          series: curves.map(({ signal, rewards }) => ({ name: signal, points: rewards })),
        },
      },
      {
        name: 'distillation-gap',
        plot: {
          title: 'Distance from the teachers',
          x: { label: 'step' },
          y: { label: 'reverse KL on sampled tokens, nats', include: 0 },
          series: taught.map(({ signal, gaps }) => ({ name: signal, points: gaps })),
        },
      },
    ],
  };
}

function domainSections(measured: readonly Measured[]): Section[] {
  const plots = domainsOf(measured).map((domain) => ({
    name: `distillation-${domain}`,
    plot: plotOf(measured, `Right answers: ${domain}`, (scores) => scores[domain]!),
  }));
  return [{ heading: 'By domain', text: '', plots }];
}
