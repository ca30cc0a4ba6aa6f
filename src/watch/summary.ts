import { meanOf, thin } from '../series.ts';
import type { RunWarning } from '../train/run.ts';
import type { MetricsHistory } from './metrics-reader.ts';

/** How a run stands. */
export interface RunSummary {
  /** Its directory below the one that is watched. */
  run: string;
  state: 'running' | 'done' | 'stopped';
  step: number;
  /** Steps of the whole run; null for runs that did not write it. */
  steps: number | null;
  totalTokens: number;
  loss: number;
  mtpLosses: number[];
  lossByLabel: Record<string, number>;
  /** Of the last evaluation. */
  heldOutLoss: number | null;
  /** Of reinforcement learning; null for other runs. */
  reward: number | null;
  gradientNorm: number;
  numZeros: number;
  deadExperts: number;
  /** Mean over layers of the mean distance of a load from the mean load. */
  meanViolation: number;
  tokensPerSecond: number;
  /** How often it began or went on. */
  starts: number;
  /** The last that it gave and that is in its file; null if there is none. */
  warning: RunWarning | null;
  /** In seconds; null if it is not running. */
  remainingSeconds: number | null;
  /** Milliseconds since 1970. */
  writtenAt: number;
  /** Some losses and violations, from the first step to the last. */
  curves: { loss: number[]; meanViolation: number[]; reward: number[] };
}

/** Without a step for so many times its usual time, and never less than this, a run has stopped. */
const silentSteps = 5;
const silentSeconds = 30;

/** The last of so many steps are told as one. */
const smoothedSteps = 10;
const curvePoints = 24;

/** @param history with one step at least */
export function summarise(run: string, history: MetricsHistory, now: number): RunSummary {
  const { starts, steps, evaluations, warnings, writtenAt } = history;
  const last = steps.at(-1)!;
  const lately = steps.slice(-smoothedSteps);
  const tokens = lately.reduce((sum, step) => sum + step.tokens, 0);
  const seconds = lately.reduce((sum, step) => sum + step.tokens / step.tokensPerSecond, 0);
  const secondsPerStep = seconds / lately.length;
  const planned = starts.at(-1)?.steps ?? null;
  const silence = (now - writtenAt) / 1000;
  const isSilent = silence > Math.max(silentSeconds, silentSteps * secondsPerStep);
  const state =
    planned !== null && last.step >= planned ? 'done' : isSilent ? 'stopped' : 'running';
  return {
    run,
    state,
    step: last.step,
    steps: planned,
    totalTokens: last.totalTokens,
    loss: meanOf(lately.map(({ loss }) => loss)),
    mtpLosses: last.mtpLosses.map((_, head) => meanOf(lately.map((step) => step.mtpLosses[head]!))),
    lossByLabel: last.lossByLabel,
    heldOutLoss: evaluations.at(-1)?.loss ?? null,
    reward: last.reward === undefined ? null : meanOf(lately.map(({ reward }) => reward!)),
    gradientNorm: meanOf(lately.map(({ gradientNorm }) => gradientNorm)),
    numZeros: last.numZeros,
    deadExperts: last.deadExperts,
    meanViolation: violationOf(last),
    tokensPerSecond: tokens / seconds,
    starts: starts.length,
    warning: warnings.findLast(({ step }) => step > (starts.at(-1)?.step ?? 0)) ?? null,
    remainingSeconds:
      state === 'running' && planned !== null ? (planned - last.step) * secondsPerStep : null,
    writtenAt,
    curves: {
      loss: thin(steps, curvePoints).map(({ loss }) => loss),
      meanViolation: thin(steps, curvePoints).map(violationOf),
      reward:
        last.reward === undefined ? [] : thin(steps, curvePoints).map(({ reward }) => reward!),
    },
  };
}

/** 0 for a model without experts. */
export function violationOf({ meanViolation }: { meanViolation: readonly number[] }): number {
  return meanViolation.length > 0 ? meanOf(meanViolation) : 0;
}
