import { meanOf } from '../../series.ts';
import type { Finding, Outcomes, Report, Section } from '../experiment.ts';
import { table, withError } from '../markdown.ts';
import { spread } from '../statistics.ts';
import {
  type ZerosConfig,
  type ZerosOutcome,
  type ZerosPoint,
  type ZerosVariant,
  zerosJobName,
} from './outcome.ts';

interface Measured {
  variant: ZerosVariant;
  seeds: ZerosOutcome[];
}

export function zerosReport(config: ZerosConfig, outcomes: Outcomes<ZerosOutcome>): Report {
  const measured = config.variants.map((variant): Measured => {
    return {
      variant,
      seeds: config.seeds.map((seed) => outcomes.get(zerosJobName(variant, seed))!),
    };
  });
  return {
    title: 'Num-zeros over good and spoiled SFT',
    method: `The same SFT with the report's settings, and with one of them spoiled, ${config.seeds.length} seed${config.seeds.length === 1 ? '' : 's'} each. Num-zeros is the share of the gradient's elements that are exactly zero; load is the busiest expert's over the mean, less 1, as a mean over layers. The watch compares the last steps with the first ones, and warns when num-zeros leaves its level or experts go without gradient.`,
    findings: findings(measured),
    sections: [endSection(measured), watchSection(config, measured), curveSection(measured)],
  };
}

function findings(measured: readonly Measured[]): Finding[] {
  const good = measured.find(({ variant }) => !variant.isSpoiled)!;
  const falseAlarms = good.seeds.filter(({ warnings }) => warnings.length > 0).length;
  const loss = ({ seeds }: Measured) =>
    withError(spread(seeds.map(({ heldOutLoss }) => heldOutLoss)));
  const spoiled = measured.filter(({ variant }) => variant.isSpoiled);
  return [
    {
      claim: 'num-zeros is flat in a good SFT (section 4.2)',
      measured: `${good.variant.name}: ${warnedText(good)}`,
      verdict: falseAlarms === 0 ? 'holds' : 'does not hold',
    },
    ...spoiled.map((each): Finding => {
      const warned = each.seeds.filter(({ warnings }) => warnings.length > 0).length;
      return {
        claim: `num-zeros tells of what spoils an SFT: ${settingsText(each.variant)} (section 4.2)`,
        measured: `${warnedText(each)}; held-out loss ${loss(each)}, ${loss(good)} of the good one`,
        // A watch that warns of everything tells nothing.
        verdict:
          warned === 0
            ? 'does not hold'
            : warned === each.seeds.length && falseAlarms === 0
              ? 'holds'
              : 'not decided',
      };
    }),
  ];
}

function warnedText({ seeds }: Measured): string {
  const first = seeds.flatMap(({ warnings: [warning] }) => warning ?? []);
  if (first.length === 0) return 'no warning';
  const told = first.map(({ kind, step }) => `${kind} at step ${step}`).join(', ');
  return `warned in ${first.length} of ${seeds.length} runs, first: ${told}`;
}

function settingsText({ expertBiasRate, epsilon }: ZerosVariant): string {
  const parts = [
    expertBiasRate === undefined ? [] : [`a bias rate of ${expertBiasRate}`],
    epsilon === undefined ? [] : [`an ε of ${epsilon}`],
  ];
  return parts.flat().join(' and ') || 'the report’s settings';
}

function endSection(measured: readonly Measured[]): Section {
  const rows = measured.map(({ variant, seeds }) => {
    const at = (part: 'start' | 'end', value: (point: ZerosPoint) => number) =>
      spread(
        seeds.map(({ curve }) => {
          const fifth = Math.ceil(curve.length / 5);
          const points = part === 'start' ? curve.slice(0, fifth) : curve.slice(-fifth);
          return meanOf(points.map(value));
        }),
      );
    return [
      variant.name,
      settingsText(variant),
      withError(spread(seeds.map(({ heldOutLoss }) => heldOutLoss)), 4),
      withError(
        at('start', ({ zeros }) => 100 * zeros),
        2,
      ),
      withError(
        at('end', ({ zeros }) => 100 * zeros),
        2,
      ),
      withError(
        at('end', ({ maxViolation }) => maxViolation),
        2,
      ),
      withError(
        at('end', ({ deadExperts }) => deadExperts),
        1,
      ),
    ];
  });
  const head = [
    ...['run', 'settings', 'held-out loss', 'num-zeros at first, %', 'at the end, %'],
    ...['load at the end', 'experts without gradient'],
  ];
  return {
    heading: 'At the end',
    text: `Means over the first and the last fifth of the steps.\n\n${table(head, rows)}`,
    plots: [],
  };
}

function watchSection({ seeds }: ZerosConfig, measured: readonly Measured[]): Section {
  const rows = measured.flatMap(({ variant, seeds: runs }) =>
    runs.flatMap(({ warnings }, i) =>
      warnings.map(({ text }) => [variant.name, String(seeds[i]), text]),
    ),
  );
  const silent = measured
    .filter(({ seeds: runs }) => runs.every(({ warnings }) => warnings.length === 0))
    .map(({ variant }) => variant.name);
  return {
    heading: 'What the watch said',
    text: [
      ...(rows.length > 0 ? [table(['run', 'seed', 'warning'], rows)] : []),
      ...(silent.length > 0 ? [`Nothing of: ${silent.join(', ')}.`] : []),
    ].join('\n\n'),
    plots: [],
  };
}

function curveSection(measured: readonly Measured[]): Section {
  const series = (value: (point: ZerosPoint) => number) =>
    measured.map(({ variant, seeds }) => ({
      name: variant.name,
      points: seeds[0]!.curve.map(({ step }, i) => {
        return [step, meanOf(seeds.map(({ curve }) => value(curve[i]!)))] as const;
      }),
    }));
  const warned = measured.flatMap(({ seeds }) =>
    seeds.flatMap(({ warnings, curve }) =>
      warnings.map(({ step }) => {
        const reached = curve.findLast((point) => point.step <= step) ?? curve[0]!;
        return [step, 100 * reached.zeros] as const;
      }),
    ),
  );
  const x = { label: 'step' };
  return {
    heading: 'While training',
    text: 'Means over seeds.',
    plots: [
      {
        name: 'zeros-share',
        plot: {
          title: 'Num-zeros',
          x,
          y: { label: '% of the gradient’s elements', include: 0 },
          series: [
            ...series(({ zeros }) => 100 * zeros),
            ...(warned.length > 0
              ? [{ name: 'warnings of the watch', draw: 'marks' as const, points: warned }]
              : []),
          ],
        },
      },
      {
        name: 'zeros-loss',
        plot: {
          title: 'Training loss',
          x,
          y: { label: 'nats a token', scale: 'log' },
          series: series(({ loss }) => loss),
        },
      },
      {
        name: 'zeros-load',
        plot: {
          title: 'The busiest expert’s load over the mean, less 1',
          x,
          y: { label: 'mean over layers', include: 0 },
          series: series(({ maxViolation }) => maxViolation),
        },
      },
    ],
  };
}
