import type { UserError } from '../errors.ts';
import type { RunWarning } from './run.ts';
import type { RunDirectory } from './run-directory.ts';

/** Writes why a run ended into its metrics, for whoever watches them: training diverged, or the GPU was lost. */
export async function recordFailure(
  { directory, state }: { directory: RunDirectory; state: { step: number } },
  { message }: UserError,
): Promise<void> {
  // The step that could not be taken: a run that goes on begins before it.
  const warning: RunWarning = { step: state.step + 1, text: message, stops: true };
  try {
    await directory.appendMetrics({ type: 'warning', ...warning });
  } catch {
    // A disk that refuses this too: `message`, which the caller throws, is what people need.
  }
}
