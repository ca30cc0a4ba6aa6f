/** Which curves there are, by theme, in the order in which they are shown. */
import { membersOf, type RunHistory } from './history.ts';

export interface Panel {
  name: string;
  /** What its values are: of one column, or of a column for each head, layer, family, … */
  form: 'one' | 'heads' | 'layers' | 'names';
  /** How values are written. */
  unit?: 'share' | 'count';
  /** Whether its values go over decades. */
  isLogarithmic?: boolean;
  /** Whether its values are drawn as they are: a mean would hide a corner, or a single step. */
  isExact?: boolean;
  /** Whether its axis begins with 0. */
  fromZero?: boolean;
  /** A column that says the same better: with it in all runs, there is no such panel. */
  unless?: string;
  /** Figures of unseen data, by the name of the curve that they belong to; `''` for a panel of one. */
  marks?: (history: RunHistory) => Mark[];
}

export interface Mark {
  step: number;
  member: string;
  value: number;
}

export const themes = {
  learning: [
    { name: 'reward', form: 'one' },
    { name: 'teacherGap', form: 'one' },
    { name: 'staleness', form: 'one', fromZero: true },
    { name: 'cut', form: 'one', unit: 'share', fromZero: true },
    { name: 'rewardByDomain', form: 'names' },
    {
      name: 'accuracy',
      form: 'names',
      unit: 'share',
      marks: ({ accuracies }) =>
        accuracies.flatMap(({ step, scores }) =>
          Object.entries(scores).map(([member, value]) => ({ step, member, value })),
        ),
    },
    { name: 'passRates', form: 'names', unit: 'share', fromZero: true },
    { name: 'mismatch', form: 'names', isLogarithmic: true },
    { name: 'gated', form: 'names', unit: 'share', fromZero: true },
  ],
  loss: [
    {
      name: 'loss',
      form: 'one',
      isLogarithmic: true,
      marks: ({ evaluations }) =>
        evaluations.map(({ step, loss }) => ({ step, member: '', value: loss })),
    },
    { name: 'entropy', form: 'one', isLogarithmic: true },
    {
      name: 'mtpLosses',
      form: 'heads',
      isLogarithmic: true,
      marks: ({ evaluations }) =>
        evaluations.flatMap(({ step, mtpLosses }) =>
          mtpLosses.map((value, head) => ({ step, member: String(head), value })),
        ),
    },
    {
      name: 'lossByLabel',
      form: 'names',
      isLogarithmic: true,
      marks: ({ evaluations }) =>
        evaluations.flatMap(({ step, byLabel = {} }) =>
          Object.entries(byLabel).map(([member, { loss }]) => ({ step, member, value: loss })),
        ),
    },
  ],
  optimisation: [
    { name: 'gradientNorm', form: 'one', isLogarithmic: true },
    { name: 'learningRate', form: 'one', fromZero: true, isExact: true },
  ],
  experts: [
    { name: 'meanViolation', form: 'one', fromZero: true },
    { name: 'maxViolation', form: 'one', fromZero: true },
    { name: 'balanceLoss', form: 'one' },
    { name: 'deadExperts', form: 'one', unit: 'count', fromZero: true, isExact: true },
    { name: 'numZeros', form: 'one', unit: 'count', unless: 'zerosShare' },
    { name: 'zerosShare', form: 'one', unit: 'share' },
    { name: 'zerosByLayer', form: 'layers', unit: 'share', fromZero: true },
  ],
  speed: [
    { name: 'tokensPerSecond', form: 'one', unit: 'count', fromZero: true },
    { name: 'sampledTokensPerSecond', form: 'one', unit: 'count', fromZero: true },
    { name: 'acceptanceLength', form: 'one' },
    { name: 'parts', form: 'names', fromZero: true },
  ],
} as const satisfies Record<string, readonly Panel[]>;

export type Theme = keyof typeof themes;
export type PanelName = (typeof themes)[Theme][number]['name'];

/** The panels of a theme that the runs have anything for. */
export function panelsFor(theme: Theme, histories: readonly RunHistory[]): Panel[] {
  return (themes[theme] as readonly Panel[]).filter(({ unless, ...panel }) => {
    const own = histories.filter((history) => hasValues(history, panel));
    return own.length > 0 && !own.every(({ columns }) => unless && columns.has(unless));
  });
}

/** Whether a run has anything to show there. */
export function hasValues(history: RunHistory, panel: Panel): boolean {
  if (panel.form === 'one') return history.columns.has(panel.name);
  return (panel.marks?.(history).length ?? 0) > 0 || membersOf(history, panel.name).length > 0;
}
