import type { PolicyStepMetrics } from '../rl/run/policy-step.ts';
import { meanOf } from '../series.ts';
import type { RecordedStep } from './metrics-reader.ts';

type Column = (number | null)[];

/** What reinforcement learning and distillation add to a run's columns; empty or nulls for other runs. */
export interface PolicyColumns {
  reward: Column;
  rewardByDomain: Record<string, Column>;
  /** Share of right answers of recent attempts, by family of problems: a mean over its kinds. */
  passRates: Record<string, Column>;
  /** Tokens of a pass that verified drafts, while sampling. */
  acceptanceLength: Column;
  sampledTokensPerSecond: Column;
  /** KL between sampler and trainer: with routes replayed, and without where that was compared. */
  mismatch: Record<string, Column>;
  /** Shares of tokens: what the default gate would drop, and what the algorithm counted. */
  gated: Record<string, Column>;
  /** Mean of log π_θ − log π_teacher: the reverse KL of equation 5. */
  teacherGap: Column;
  /** Mean number of versions between sampling and training. */
  staleness: Column;
  /** Share of sequences that reached a limit. */
  cut: Column;
  /** Seconds of a step by what they were spent on. */
  parts: Record<string, Column>;
}

export function policyColumns(steps: readonly RecordedStep[]): PolicyColumns {
  const column = (value: (step: RecordedStep) => number | null | undefined) =>
    steps.map((step) => value(step) ?? null);
  const columns = (values: (step: RecordedStep) => Record<string, number | undefined>) =>
    columnsByName(steps.map(values));
  return {
    reward: column(({ reward }) => reward),
    rewardByDomain: columns(({ rewardByDomain = {} }) => rewardByDomain),
    passRates: columns(({ passRates = {} }) => byFamily(passRates)),
    acceptanceLength: column(({ rollouts }) => rollouts?.acceptanceLength),
    sampledTokensPerSecond: column(({ rollouts }) => rollouts?.tokensPerSecond),
    mismatch: columns(({ mismatch, mismatchWithoutReplay }) => ({
      replayed: mismatch?.klPositive,
      notReplayed: mismatchWithoutReplay?.klPositive,
    })),
    gated: gatedShares(steps),
    teacherGap: column(({ algorithm }) => algorithm?.teacherGap),
    staleness: column(({ staleness }) => staleness?.mean),
    cut: column(({ cut }) => cut),
    parts: columns(({ parts }) => ({ ...parts })),
  };
}

/** A column for each name that occurs, with nulls where it does not. */
export function columnsByName(
  records: readonly Record<string, number | undefined>[],
): Record<string, Column> {
  const names = new Set(
    records.flatMap((record) => Object.keys(record).filter((name) => record[name] !== undefined)),
  );
  return Object.fromEntries(
    [...names].sort().map((name) => [name, records.map((record) => record[name] ?? null)]),
  );
}

/** What an algorithm does not count in a step was nothing. */
function gatedShares(steps: readonly RecordedStep[]): Record<string, Column> {
  const counted = new Set(steps.flatMap(({ algorithm = {} }) => Object.keys(algorithm)));
  counted.delete('teacherGap');
  return columnsByName(
    steps.map(({ mismatch, algorithm }) => ({
      ...(algorithm &&
        Object.fromEntries([...counted].map((name) => [name, algorithm[name] ?? 0]))),
      below: mismatch?.below,
      above: mismatch?.above,
    })),
  );
}

/** Kinds of problems are called `family/level/language`. */
function byFamily(passRates: PolicyStepMetrics['passRates']): Record<string, number> {
  const families = Map.groupBy(Object.entries(passRates), ([cell]) => cell.split('/')[0]!);
  return Object.fromEntries(
    [...families].map(([family, cells]) => [family, meanOf(cells.map(([, rate]) => rate))]),
  );
}
