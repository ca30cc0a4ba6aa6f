import { meanOf } from '../../series.ts';
import type { Outcomes, Report, Section } from '../experiment.ts';
import { bytes, table, withError } from '../markdown.ts';
import type { Series } from '../plot.ts';
import { spread } from '../statistics.ts';
import type { AttentionConfig, Variant } from './config.ts';
import {
  type Decoded,
  decodingFindings,
  figures,
  pairFindings,
  type StageName,
  type Trained,
} from './findings.ts';
import {
  type AttentionOutcome,
  type DecodingPoint,
  decodedVariants,
  decodingJobName,
  trainingJobName,
} from './outcome.ts';

export function attentionReport(
  config: AttentionConfig,
  outcomes: Outcomes<AttentionOutcome>,
): Report {
  const trained = config.variants.map((variant): Trained => {
    const stages = config.seeds.map((seed) => {
      const outcome = outcomes.get(trainingJobName(variant, seed));
      if (outcome?.kind !== 'training') throw new Error(`${variant.name} has no outcome`);
      return outcome;
    });
    return {
      variant,
      before: stages.map(({ before }) => before),
      after: stages.map(({ after }) => after),
    };
  });
  const decoded = decodedVariants(config).map((variant) => {
    const outcome = outcomes.get(decodingJobName(variant));
    if (outcome?.kind !== 'decoding') throw new Error(`${variant.name} was not timed`);
    return { variant, contexts: outcome.contexts };
  });
  return {
    title: 'Global attention against sliding windows',
    method: methodText(config),
    findings: [...pairFindings(trained), ...decodingFindings(decoded)],
    sections: [
      stageSection('Before the context is extended', 'before', trained),
      stageSection('After the context is extended', 'after', trained),
      curveSection(trained),
      decodingSection(decoded),
    ],
  };
}

function methodText({ variants, seeds, extension }: AttentionConfig): string {
  return `${variants.length} variants, each trained ${seeds.length} times (seeds ${seeds.join(', ')}) on the same data, for as many steps, and then with longer documents and the base of the global layers' rotary embeddings raised to ${extension.ropeTheta}. Layers that are global in the hybrids are the same in all. Windows of the report's sizes are a far larger part of these short documents than of the report's (1/64 and 1/16 of 8,192 tokens), so there are also windows of those shares. Numbers are means over seeds with their standard errors; a difference counts if Student’s test is sure of it at 95 %.`;
}

function stageSection(heading: string, stage: StageName, trained: readonly Trained[]): Section {
  const names = [...figures(trained[0]![stage]).keys()];
  const rows = trained.map((each) => {
    const own = figures(each[stage]);
    const cells = names.map((name) =>
      withError(own.get(name)!.spread, name.includes('loss') ? 3 : 2),
    );
    return [each.variant.name, ...cells];
  });
  const labels = Object.keys(trained[0]![stage][0]!.lossByLabel);
  const losses = trained.map(({ variant, ...stages }) => [
    variant.name,
    ...labels.map((label) =>
      withError(spread(stages[stage].map(({ lossByLabel }) => lossByLabel[label]!))),
    ),
  ]);
  const text = [
    'Shares are of right answers.',
    table(['variant', ...names], rows),
    'Held-out loss by task family:',
    table(['variant', ...labels], losses),
  ];
  return { heading, text: text.join('\n\n'), plots: [] };
}

function curveSection(trained: readonly Trained[]): Section {
  const curve = (stage: StageName): Series[] =>
    trained.map(({ variant, ...stages }) => ({
      name: variant.name,
      isDashed: variant.window !== null && !variant.sink,
      points: stages[stage][0]!.curve.map(([step], i) => {
        const losses = stages[stage].map(({ curve }) => curve[i]?.[1] ?? Number.NaN);
        return [step, meanOf(losses)] as const;
      }),
    }));
  const plot = (title: string, stage: StageName) => ({
    name: `attention-loss-${stage}`,
    plot: {
      title,
      x: { label: 'step' },
      y: { label: 'training loss, mean over seeds', scale: 'log' as const },
      series: curve(stage),
    },
  });
  return {
    heading: 'Losses while training',
    text: '',
    plots: [plot('Training on short documents', 'before'), plot('Extension', 'after')],
  };
}

const windowName = ({ window }: Variant) => (window === null ? 'all global' : `window ${window}`);

function decodingSection(decoded: readonly Decoded[]): Section {
  const contexts = decoded[0]!.contexts.map(({ context }) => context);
  const rows = decoded.map(({ variant, contexts: points }) => [
    windowName(variant),
    ...points.map(
      ({ cacheBytes, millisecondsPerToken }) =>
        `${bytes(cacheBytes)}, ${millisecondsPerToken.toFixed(2)} ms`,
    ),
  ]);
  const series = (value: (point: DecodingPoint) => number): Series[] =>
    decoded.map(({ variant, contexts: points }) => ({
      name: windowName(variant),
      draw: 'both',
      points: points.map((point) => [point.context, value(point)]),
    }));
  const x = { label: 'context in tokens', scale: 'log' as const };
  return {
    heading: 'Memory and time of decoding',
    text: `A model of random weights, one sequence, without drafts: memory of keys and values in f32, and time of a token.\n\n${table(['layers', ...contexts.map(String)], rows)}`,
    plots: [
      {
        name: 'attention-memory',
        plot: {
          title: 'Keys and values of one sequence',
          x,
          y: { label: 'megabytes', scale: 'log' },
          series: series(({ cacheBytes }) => cacheBytes / 1e6),
        },
      },
      {
        name: 'attention-decoding-time',
        plot: {
          title: 'Time of a token',
          x,
          y: { label: 'milliseconds', include: 0 },
          series: series(({ millisecondsPerToken }) => millisecondsPerToken),
        },
      },
    ],
  };
}
