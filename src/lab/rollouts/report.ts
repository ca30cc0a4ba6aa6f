import { schedulerSchema } from '../../rl/scheduler/options.ts';
import { meanOf } from '../../series.ts';
import type { Outcomes, Report, Section } from '../experiment.ts';
import { percent, table } from '../markdown.ts';
import {
  type Caps,
  drawnSpeed,
  type MeasuredVariant,
  mostOf,
  rolloutFindings,
  samplingShare,
  secondsOf,
} from './findings.ts';
import type { RolloutsConfig, RolloutsOutcome, TimedStep } from './outcome.ts';

export function rolloutsReport(
  config: RolloutsConfig,
  outcomes: Outcomes<RolloutsOutcome>,
): Report {
  const { policy, variants, settle } = config;
  const all = variants.map((variant): MeasuredVariant => {
    return { ...variant, steps: outcomes.get(variant.name)!.steps };
  });
  const measured = all.map(({ steps, ...variant }) => ({
    ...variant,
    steps: steps.filter(({ step }) => step > settle),
  }));
  const caps = schedulerSchema.parse(policy.schedule);
  return {
    title: 'A step of reinforcement learning by its parts',
    method: `The same run, ${policy.steps} steps of ${caps.groups} groups of ${caps.groupSize} sequences, ${caps.concurrency} sampled at once, with fewer drafts, and with a schedule that carries nothing over. The first ${settle} steps do not count. Sampling is the time that a step waits for its batch.`,
    findings: rolloutFindings(measured, caps),
    sections: [partsSection(measured, all), waitSection(measured, caps)],
  };
}

const mean = (steps: readonly TimedStep[], value: (step: TimedStep) => number) =>
  meanOf(steps.map(value));

function partsSection(
  measured: readonly MeasuredVariant[],
  all: readonly MeasuredVariant[],
): Section {
  const rows = measured.map(({ name, steps }) => {
    const lengths = steps.flatMap(({ acceptanceLength }) => acceptanceLength ?? []);
    return [
      name,
      Math.round(drawnSpeed(steps)).toLocaleString('en'),
      lengths.length === 0 ? 'no drafts' : meanOf(lengths).toFixed(2),
      mean(steps, ({ sampling }) => sampling).toFixed(2),
      mean(steps, ({ teachers }) => teachers).toFixed(2),
      mean(steps, ({ training }) => training).toFixed(2),
      mean(steps, secondsOf).toFixed(2),
      percent(samplingShare(steps)),
    ];
  });
  const head = [
    ...['run', 'tokens/s drawn', 'acceptance length', 'sampling, s', 'teachers, s', 'training, s'],
    ...['step, s', 'share of sampling'],
  ];
  const { name, steps } = all[0]!;
  const part = (key: 'sampling' | 'teachers' | 'training') => ({
    name: key,
    points: steps.map((step) => [step.step, step[key]] as const),
  });
  return {
    heading: 'Speed, and a step by its parts',
    text: `Means over steps.\n\n${table(head, rows)}`,
    plots: [
      {
        name: 'rollouts-parts',
        plot: {
          title: `Seconds of a step: ${name}`,
          x: { label: 'step' },
          y: { label: 'seconds', include: 0 },
          series: [part('sampling'), part('teachers'), part('training')],
        },
      },
      {
        name: 'rollouts-speed',
        plot: {
          title: 'Speed of rollouts',
          x: { label: 'step' },
          y: { label: 'tokens/s drawn', include: 0 },
          series: all.map((variant) => ({
            name: variant.name,
            points: variant.steps.map((step) => [step.step, step.tokens / step.sampling] as const),
          })),
        },
      },
    ],
  };
}

function waitSection(measured: readonly MeasuredVariant[], caps: Caps): Section {
  const rows = measured.map(({ name, steps }) => {
    const { held, carried, staleness } = mostOf(steps);
    return [
      name,
      mean(steps, (step) => step.held).toFixed(2),
      held.toFixed(2),
      percent(carried),
      String(staleness),
    ];
  });
  const limits = [
    ...['cap', '', (caps.maxWait / 1000).toFixed(2)],
    ...[percent(caps.maxCarriedShare), String(caps.maxStaleness)],
  ];
  const head = [
    ...['run', 'held back, mean s', 'held back, most s', 'carried over, most'],
    'oldest token, versions',
  ];
  return {
    heading: 'Waiting for the slowest sequence',
    text: `A batch that is there is held back only for sequences that would be too old for the next one.\n\n${table(head, [...rows, limits])}`,
    plots: [],
  };
}
