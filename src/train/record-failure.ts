import { UserError } from '../errors.ts';
import type { RunWarning } from './run.ts';
import type { RunDirectory } from './run-directory.ts';

interface FailedRun {
  directory: RunDirectory;
  state: { step: number };
  /** The newest checkpoint. */
  checkpoint: string | null;
}

/**
 * Writes why a run ended into its metrics, for whoever watches them: training diverged, or the GPU was lost.
 *
 * @param advice what to do, beyond what the error says
 * @returns what the run throws: the same, and what is left of it
 */
export async function recordFailure(
  { directory, state, checkpoint }: FailedRun,
  error: UserError,
  advice?: string,
): Promise<UserError> {
  // The step that could not be taken: a run that goes on begins before it.
  const warning: RunWarning = { step: state.step + 1, text: error.message, stops: true };
  try {
    await directory.appendMetrics({ type: 'warning', ...warning });
  } catch {
    // A disk that refuses this too: what is thrown is what people need.
  }
  const kept = checkpoint ? `the last checkpoint is ${checkpoint}` : 'nothing was saved';
  const parts = [error.message, ...(advice === undefined ? [] : [advice]), kept];
  return new UserError(parts.join('; '), { cause: error });
}
