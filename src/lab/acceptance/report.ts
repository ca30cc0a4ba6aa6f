import { meanOf } from '../../series.ts';
import type { Finding, Outcomes, Report, Section } from '../experiment.ts';
import { table } from '../markdown.ts';
import type { Series } from '../plot.ts';
import {
  type AcceptanceCurve,
  curveAt,
  explained,
  fitAcceptance,
  REPORTED_CURVE,
} from '../statistics.ts';
import type { AcceptanceConfig, AcceptanceOutcome, StepTimes } from './outcome.ts';

interface Point {
  family: string;
  level: string;
  entropy: number;
  crossEntropy: number;
  length: number;
  hitRates: number[];
  tokens: number;
}

/** Table 10's: acceptance lengths, and what a step with drafts costs in plain steps by batch size. */
const REPORTED_LENGTHS = [2.8, 3, 3.2, 3.4, 3.6, 3.8];
const REPORTED_COSTS = new Map([
  [32, 1.51],
  [48, 1.54],
  [64, 1.42],
  [96, 1.41],
  [128, 1.55],
]);

export function acceptanceReport(
  config: AcceptanceConfig,
  outcomes: Outcomes<AcceptanceOutcome>,
): Report {
  const points = pointsOf(config, outcomes);
  const speed = outcomes.get('speed');
  if (speed?.kind !== 'speed') throw new Error('the steps were not timed');
  const most = headsOf(outcomes) + 1;
  const xy = points.map(({ entropy, length }) => [entropy, length] as const);
  const curve = fitAcceptance(xy, most);
  const r2 = explained(xy, curve);
  return {
    title: 'Acceptance length, entropy, and what drafts gain',
    method: `Held-out problems of each family and level, in both languages, with and without thinking; answers are drawn at temperature ${config.temperature} with all ${most - 1} MTP heads, and only first turns count. The entropy is that of the distributions at temperature 1 that the very same tokens were drawn from, in nats. Model: ${config.checkpoint}.`,
    findings: findings(points, curve, r2, speed.steps),
    sections: [curveSection(points, curve, r2), familySection(points), speedSection(speed.steps)],
  };
}

function pointsOf({ families }: AcceptanceConfig, outcomes: Outcomes<AcceptanceOutcome>): Point[] {
  return families.flatMap((family) => {
    const outcome = outcomes.get(family);
    if (outcome?.kind !== 'family') throw new Error(`${family} has no outcome`);
    return outcome.levels.flatMap(({ acceptanceLength, ...rest }) =>
      acceptanceLength === null ? [] : [{ ...rest, family, length: acceptanceLength }],
    );
  });
}

function headsOf(outcomes: Outcomes<AcceptanceOutcome>): number {
  for (const outcome of outcomes.values()) if (outcome.kind === 'family') return outcome.heads;
  throw new Error('no family was measured');
}

function findings(
  points: readonly Point[],
  curve: AcceptanceCurve,
  r2: number,
  steps: readonly StepTimes[],
): Finding[] {
  const best = steps.map(({ plainMilliseconds, draftMilliseconds }) => {
    return meanOf(points.map(({ length }) => length)) * (plainMilliseconds / draftMilliseconds);
  });
  const code = points.filter(({ family }) => family === 'code');
  const gain = `${Math.min(...best).toFixed(2)} to ${Math.max(...best).toFixed(2)}`;
  return [
    {
      claim: 'acceptance length falls with entropy as y = 4(1 − 0.58·x^0.58), R² 0.995 (figure 7)',
      measured: `y = ${formula(curve)}, R² ${r2.toFixed(3)} over ${points.length} points`,
      verdict: r2 > 0.9 ? 'holds' : r2 < 0.5 ? 'does not hold' : 'not decided',
    },
    ...(code.length > 0
      ? [
          {
            claim: 'three heads reach an acceptance length of 3.6 on code',
            measured: meanOf(code.map(({ length }) => length)).toFixed(2),
            verdict: meanOf(code.map(({ length }) => length)) >= 3.5 ? 'holds' : 'does not hold',
          } as const,
        ]
      : []),
    {
      claim: 'drafts make decoding 1.8 to 2.7 times as fast at batches of 32 to 128 (table 10)',
      measured: `${gain} times at the mean acceptance length, by batch size`,
      verdict: Math.min(...best) >= 1.8 ? 'holds' : 'does not hold',
    },
  ];
}

function formula({ most, a, b }: AcceptanceCurve): string {
  return `${most}(1 − ${a.toFixed(2)}·x^${b.toFixed(2)})`;
}

function curveSection(points: readonly Point[], curve: AcceptanceCurve, r2: number): Section {
  const xs = points.map(({ entropy }) => entropy);
  const [low, high] = [Math.min(...xs), Math.max(...xs)];
  const along = Array.from({ length: 60 }, (_, i) => low + (i * (high - low)) / 59);
  const line = (name: string, drawn: AcceptanceCurve, isDashed: boolean): Series => ({
    name,
    isDashed,
    points: along.map((x) => [x, curveAt(drawn, x)]),
  });
  const families = [...new Set(points.map(({ family }) => family))];
  const marks = families.map((family): Series => {
    const own = points.filter((point) => point.family === family);
    return {
      name: family,
      draw: 'marks',
      points: own.map(({ entropy, length }) => [entropy, length]),
    };
  });
  const reported = explained(
    points.map(({ entropy, length }) => [entropy, length]),
    REPORTED_CURVE,
  );
  return {
    heading: 'Acceptance length against entropy',
    text: `A point is a family at a level. Fitted: y = ${formula(curve)} with R² ${r2.toFixed(3)}. The report's own curve has R² ${reported.toFixed(3)} on these points.`,
    plots: [
      {
        name: 'acceptance-entropy',
        plot: {
          title: 'Acceptance length against entropy of the next token',
          x: { label: 'mean entropy in nats', include: 0 },
          y: { label: 'tokens accepted in a step' },
          series: [
            line(`fitted: ${formula(curve)}`, curve, false),
            line(`the report: ${formula(REPORTED_CURVE)}`, REPORTED_CURVE, true),
            ...marks,
          ],
        },
      },
    ],
  };
}

function familySection(points: readonly Point[]): Section {
  const rows = points.map((point) => [
    `${point.family}, ${point.level}`,
    point.length.toFixed(2),
    point.hitRates.map((rate) => rate.toFixed(2)).join(', '),
    point.entropy.toFixed(3),
    point.crossEntropy.toFixed(3),
    String(point.tokens),
  ]);
  const head = ['family', 'acceptance length', 'by head', 'entropy', 'cross-entropy', 'tokens'];
  return { heading: 'By family', text: table(head, rows), plots: [] };
}

/** Speed-up = acceptance length × plain step ÷ step with drafts, as every row of table 10 is. */
function speedSection(steps: readonly StepTimes[]): Section {
  const rows = steps.map(({ sequences, plainMilliseconds, draftMilliseconds }) => {
    const cost = draftMilliseconds / plainMilliseconds;
    return [
      String(sequences),
      plainMilliseconds.toFixed(2),
      draftMilliseconds.toFixed(2),
      cost.toFixed(2),
      REPORTED_COSTS.get(sequences)?.toFixed(2) ?? '',
      ...REPORTED_LENGTHS.map((length) => (length / cost).toFixed(2)),
    ];
  });
  const head = [
    'sequences',
    'plain step, ms',
    'step with drafts, ms',
    'cost of drafting',
    'the report’s',
    ...REPORTED_LENGTHS.map(String),
  ];
  return {
    heading: 'Speed-up by batch size and acceptance length',
    text: `Each row of the report's table 10 is the acceptance length divided by what a step with drafts costs in plain steps, so one ratio a batch size is measured; the last columns are the speed-up at an acceptance length.\n\n${table(head, rows)}`,
    plots: [],
  };
}
