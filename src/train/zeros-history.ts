/** The watch of num-zeros over a run that may have been stopped: it goes on with what it has seen. */
import type { TrainingConfig } from './config.ts';
import type { RunDirectory } from './run-directory.ts';
import type { StepMetrics } from './trainer.ts';
import { type ZerosOfStep, ZerosWatch } from './zeros-watch.ts';

/** The watch that the config asks for, at the last step of `metrics.jsonl`; null if it asks for none. */
export async function openZerosWatch(
  { zerosWatch }: TrainingConfig,
  directory: RunDirectory,
): Promise<ZerosWatch | null> {
  if (!zerosWatch) return null;
  const watch = new ZerosWatch(zerosWatch);
  // Warnings of before have been given.
  for (const line of await directory.readMetrics()) {
    // Runs of before shares were written have none to go on with.
    if (line.type === 'step' && 'zerosShare' in line)
      watch.add(zerosOf(line as unknown as StepMetrics));
  }
  return watch;
}

export function zerosOf(metrics: StepMetrics): ZerosOfStep {
  const { step, zerosShare, zerosByLayer, zerosByExpert, deadExperts } = metrics;
  const starved = deadExperts / Math.max(1, zerosByExpert.flat().length);
  return { step, share: zerosShare, layers: zerosByLayer, starved };
}
