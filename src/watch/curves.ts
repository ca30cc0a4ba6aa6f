import { meanOf, thin } from '../series.ts';
import type { EvaluationMetrics, RunWarning } from '../train/run.ts';
import type { AccuracyMetrics, MetricsHistory, RecordedStep } from './metrics-reader.ts';
import { columnsByName, type PolicyColumns, policyColumns } from './policy-curves.ts';
import { violationOf } from './summary.ts';

/** A run's figures by step, in columns of one length. */
export interface RunCurves {
  run: string;
  /** How often the run began or went on: another number means that earlier steps may be others. */
  starts: number;
  steps: PolicyColumns & {
    step: number[];
    totalTokens: number[];
    loss: number[];
    /** By head. */
    mtpLosses: number[][];
    /** Null where a step had no target of the family or file. */
    lossByLabel: Record<string, (number | null)[]>;
    entropy: number[];
    gradientNorm: number[];
    learningRate: number[];
    numZeros: number[];
    /** The same as a share of all elements; nulls for runs that did not write it. */
    zerosShare: (number | null)[];
    /** By layer of the trunk, as shares of its elements; empty for runs that did not write them. */
    zerosByLayer: (number | null)[][];
    deadExperts: number[];
    meanViolation: number[];
    /** Of the layer that is worst: its busiest expert's load over the mean, less 1. */
    maxViolation: number[];
    balanceLoss: (number | null)[];
    tokensPerSecond: number[];
  };
  /**
   * Elements of the gradient that are zero by expert, for each layer of experts, as means over the last
   * steps; empty for runs that did not write them.
   */
  zerosByExpert: number[][];
  evaluations: EvaluationMetrics[];
  /** Shares of right answers on unseen problems by domain, of reinforcement learning. */
  accuracies: AccuracyMetrics[];
  warnings: RunWarning[];
}

/** So many of the last steps are told as one of what has no curve. */
const lastSteps = 10;

/**
 * At most `points` steps after step `after`, evenly, with the last; and what was written since of other
 * kinds, that of step `after` itself included, for it follows its step.
 */
export function columnsOf(
  run: string,
  history: MetricsHistory,
  after: number,
  points: number,
): RunCurves {
  const steps = thin(
    history.steps.filter(({ step }) => step > after),
    points,
  );
  const column = <Value>(value: (step: RecordedStep) => Value) => steps.map(value);
  const isNew = ({ step }: { step: number }) => step >= after;
  const heads = steps.at(-1)?.mtpLosses.length ?? 0;
  const layers = steps.at(-1)?.zerosByLayer?.length ?? 0;
  return {
    run,
    starts: history.starts.length,
    steps: {
      step: column(({ step }) => step),
      totalTokens: column(({ totalTokens }) => totalTokens),
      loss: column(({ loss }) => loss),
      mtpLosses: Array.from({ length: heads }, (_, head) =>
        column(({ mtpLosses }) => mtpLosses[head]!),
      ),
      lossByLabel: columnsByName(column(({ lossByLabel }) => lossByLabel)),
      entropy: column(({ entropy }) => entropy),
      gradientNorm: column(({ gradientNorm }) => gradientNorm),
      learningRate: column(({ learningRate }) => learningRate),
      numZeros: column(({ numZeros }) => numZeros),
      zerosShare: column(({ zerosShare }) => zerosShare ?? null),
      zerosByLayer: Array.from({ length: layers }, (_, layer) =>
        column(({ zerosByLayer }) => zerosByLayer[layer] ?? null),
      ),
      deadExperts: column(({ deadExperts }) => deadExperts),
      meanViolation: column(violationOf),
      maxViolation: column(({ maxViolation }) => Math.max(0, ...maxViolation)),
      balanceLoss: column(({ balanceLoss }) => balanceLoss),
      tokensPerSecond: column(({ tokensPerSecond }) => tokensPerSecond),
      ...policyColumns(steps),
    },
    zerosByExpert: zerosByExpert(history.steps.slice(-lastSteps)),
    evaluations: history.evaluations.filter(isNew),
    accuracies: history.accuracies.filter(isNew),
    warnings: history.warnings.filter(isNew),
  };
}

function zerosByExpert(steps: readonly RecordedStep[]): number[][] {
  const recorded = steps.map((step) => step.zerosByExpert).filter((layers) => layers.length > 0);
  return (recorded[0] ?? []).map((experts, layer) =>
    experts.map((_, expert) => meanOf(recorded.map((layers) => layers[layer]![expert]!))),
  );
}
