import { CELL } from './candidates.ts';
import type { Ledger } from './ledger.ts';
import type { SequenceState, SourceState } from './state.ts';
import type { SchedulerFigures, SourceFigures } from './types.ts';

/**
 * @param sampling sequences that are being sampled
 * @param held for how long the last batch was held back
 */
export function schedulerFigures(ledger: Ledger, sampling: number, held: number): SchedulerFigures {
  const { version, batches, sources, failures, dropped, restarted, histories } = ledger.summary;
  const sequences = ledger.openGroups.flatMap((group) => group.sequences);
  const count = (stage: SequenceState['stage']) =>
    sequences.filter((sequence) => sequence.stage === stage).length;
  const rates = Object.entries(histories).flatMap(([key, { passes, attempts }]) =>
    key.startsWith(CELL)
      ? [[key.slice(CELL.length), { rate: passes / attempts, count: attempts }]]
      : [],
  );
  return {
    version,
    batches,
    sequences: {
      waiting: count('sample') - sampling,
      sampling,
      rewarding: count('reward'),
      ready: count('ready'),
    },
    sources: Object.fromEntries(
      Object.entries(sources).map(([name, source]) => [name, figuresOf(source)]),
    ),
    failures: { ...failures },
    dropped,
    restarted,
    held,
    passRates: Object.fromEntries(rates),
  };
}

function figuresOf({
  begun,
  given,
  tooHard,
  tooEasy,
  tooFew,
  skipped,
}: SourceState): SourceFigures {
  return { begun, given, tooHard, tooEasy, tooFew, skipped };
}
