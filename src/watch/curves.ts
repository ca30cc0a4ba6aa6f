import { thin } from '../series.ts';
import type { EvaluationMetrics, RunMetrics } from '../train/run.ts';
import type { MetricsHistory } from './metrics-reader.ts';
import { violationOf } from './summary.ts';

/** A run's figures by step, in columns of one length. */
export interface RunCurves {
  run: string;
  steps: {
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
    /** By layer of the trunk, as shares of its elements; empty for runs that did not write them. */
    zerosByLayer: number[][];
    deadExperts: number[];
    meanViolation: number[];
    balanceLoss: (number | null)[];
    tokensPerSecond: number[];
    /** Of reinforcement learning; nulls for other runs. */
    reward: (number | null)[];
  };
  evaluations: EvaluationMetrics[];
}

/** At most `points` steps after step `after`, evenly, with the last; and all evaluations since. */
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
  const column = <Value>(value: (step: RunMetrics) => Value) => steps.map(value);
  const heads = steps.at(-1)?.mtpLosses.length ?? 0;
  const layers = steps.at(-1)?.zerosByLayer?.length ?? 0;
  const labels = new Set(steps.flatMap(({ lossByLabel }) => Object.keys(lossByLabel)));
  return {
    run,
    steps: {
      step: column(({ step }) => step),
      totalTokens: column(({ totalTokens }) => totalTokens),
      loss: column(({ loss }) => loss),
      mtpLosses: Array.from({ length: heads }, (_, head) =>
        column(({ mtpLosses }) => mtpLosses[head]!),
      ),
      lossByLabel: Object.fromEntries(
        [...labels]
          .sort()
          .map((label) => [label, column(({ lossByLabel }) => lossByLabel[label] ?? null)]),
      ),
      entropy: column(({ entropy }) => entropy),
      gradientNorm: column(({ gradientNorm }) => gradientNorm),
      learningRate: column(({ learningRate }) => learningRate),
      numZeros: column(({ numZeros }) => numZeros),
      zerosByLayer: Array.from({ length: layers }, (_, layer) =>
        column(({ zerosByLayer }) => zerosByLayer[layer]!),
      ),
      deadExperts: column(({ deadExperts }) => deadExperts),
      meanViolation: column(violationOf),
      balanceLoss: column(({ balanceLoss }) => balanceLoss),
      tokensPerSecond: column(({ tokensPerSecond }) => tokensPerSecond),
      reward: column(({ reward }) => reward ?? null),
    },
    evaluations: history.evaluations.filter(({ step }) => step > after),
  };
}
