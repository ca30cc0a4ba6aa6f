import { meanOf } from '../../series.ts';
import type { Outcomes, Report, Section } from '../experiment.ts';
import { percent, table } from '../markdown.ts';
import type { Plot } from '../plot.ts';
import { type Arms, formatFindings, type MeasuredFormat, nats, runFindings } from './findings.ts';
import {
  formatJobName,
  gatedShare,
  type MismatchConfig,
  type MismatchOutcome,
  type RunOutcome,
  type RunPoint,
  runJobName,
} from './outcome.ts';

export function mismatchReport(
  config: MismatchConfig,
  outcomes: Outcomes<MismatchOutcome>,
): Report {
  const formats = config.formats.map((format): MeasuredFormat => {
    const outcome = outcomes.get(formatJobName(format));
    if (outcome?.kind !== 'format') throw new Error(`${format.name} has no outcome`);
    return { format, ...outcome };
  });
  const { seeds, format } = config.training;
  const runs = (replay: boolean) =>
    seeds.map((seed) => {
      const outcome = outcomes.get(runJobName(replay, seed));
      if (outcome?.kind !== 'run') throw new Error(`${runJobName(replay, seed)} has no outcome`);
      return outcome;
    });
  const arms = { replayed: runs(true), own: runs(false) };
  return {
    title: 'Mismatch between rollouts and training',
    method: `The engine draws a batch with weights and caches in several formats, with drafts where nothing else is said, and the trainer scores the very same tokens with the very same weights in its own precision: once with the routes that the rollout recorded (R3), once with its own. KL is of the sampler from the trainer, the mean of r − 1 − log r with r = π_θ/μ_θ; tokens are gated where r leaves [0.5, 5], the default of equation 8. Then the same run is trained with the replay and without, its rollouts in the format ${format}, ${seeds.length} seed${seeds.length === 1 ? '' : 's'} each.`,
    findings: [...formatFindings(formats), ...runFindings(arms)],
    sections: [formatSection(formats), runSection(arms)],
  };
}

function formatSection(formats: readonly MeasuredFormat[]): Section {
  const rows = formats.map(({ format, acceptanceLength, replayed, own }) => [
    format.name,
    `${format.rolloutWeights}, ${format.rolloutCache}`,
    acceptanceLength === null ? 'no drafts' : acceptanceLength.toFixed(2),
    String(replayed.tokens),
    nats(replayed.klPositive),
    nats(own.klPositive),
    percent(gatedShare(replayed)),
    percent(gatedShare(own)),
    Math.exp(replayed.largestGap).toPrecision(3),
    Math.exp(own.largestGap).toPrecision(3),
  ]);
  const head = [
    ...['format', 'weights, caches', 'acceptance length', 'tokens', 'KL with R3, nats', 'without'],
    ...['gated with R3', 'without', 'largest ratio with R3', 'without'],
  ];
  const names = formats.map(({ format }) => format.name);
  const series = (value: (figures: MeasuredFormat['own']) => number) => [
    mark('with R3', -aside, formats, ({ replayed }) => value(replayed)),
    mark('without', aside, formats, ({ own }) => value(own)),
  ];
  return {
    heading: 'By number format',
    text: `The largest ratio is of either probability to the other.\n\n${table(head, rows)}`,
    plots: [
      {
        name: 'mismatch-kl',
        plot: {
          title: 'KL between rollout and training',
          x: { label: 'format of the rollouts', names },
          y: { label: 'nats a token', scale: 'log' },
          series: series(({ klPositive }) => klPositive),
        },
      },
      {
        name: 'mismatch-gated',
        plot: {
          title: 'Tokens that the gate drops',
          x: { label: 'format of the rollouts', names },
          y: { label: '% of tokens', include: 0 },
          series: series((figures) => 100 * gatedShare(figures)),
        },
      },
    ],
  };
}

/** Two marks of one format stand side by side. */
const aside = 0.06;

function mark(
  name: string,
  shift: number,
  formats: readonly MeasuredFormat[],
  value: (format: MeasuredFormat) => number,
) {
  const points = formats.map((format, x) => [x + shift, value(format)] as const);
  return { name, draw: 'marks' as const, points };
}

function runSection(arms: Arms): Section {
  const named: [string, RunOutcome[]][] = [
    ['with R3', arms.replayed],
    ['without', arms.own],
  ];
  const plot = (
    title: string,
    y: Plot['y'],
    pointsOf: (run: RunOutcome) => readonly (readonly [number, number])[],
  ): Plot => ({
    title,
    x: { label: 'step' },
    y,
    series: named.map(([name, runs]) => ({
      name,
      points: pointsOf(runs[0]!).map(([step], i) => {
        return [step, meanOf(runs.map((run) => pointsOf(run)[i]![1]))] as const;
      }),
    })),
  });
  const along = (value: (point: RunPoint) => number) => (run: RunOutcome) =>
    run.curve.map((point) => [point.step, value(point)] as const);
  return {
    heading: 'Training with the replay and without',
    text: 'Means over seeds.',
    plots: [
      {
        name: 'mismatch-training-accuracy',
        plot: plot('Right answers on held-out problems', { label: '%' }, (run) =>
          run.accuracy.map(([step, share]) => [step, 100 * share]),
        ),
      },
      {
        name: 'mismatch-training-reward',
        plot: plot(
          'Reward',
          { label: 'mean over sequences' },
          along(({ reward }) => reward),
        ),
      },
      {
        name: 'mismatch-training-kl',
        plot: plot(
          'KL between rollout and training',
          { label: 'nats a token', scale: 'log' },
          along(({ klPositive }) => klPositive),
        ),
      },
      {
        name: 'mismatch-training-gated',
        plot: plot(
          'Tokens outside the gate',
          { label: '% of tokens', include: 0 },
          along(({ gated }) => 100 * gated),
        ),
      },
    ],
  };
}
