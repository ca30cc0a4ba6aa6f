/**
 * Reads a run's `metrics.jsonl`, also while it is written: each time only what has come since. A file
 * that became shorter was begun anew by a run that goes on from its checkpoint, and is read again.
 */
import fs from 'node:fs/promises';
import { join } from 'node:path';
import { asUserError, errorCode } from '../checkpoint/file-errors.ts';
import type { PolicyStepMetrics } from '../rl/run/policy-step.ts';
import type { EvaluationMetrics, RunMetrics, RunWarning, StartMetrics } from '../train/run.ts';
import { METRICS_FILE, metricsOf } from '../train/run-directory.ts';

/** A step, with what only reinforcement learning writes, and without what runs of before lack. */
export type RecordedStep = Omit<RunMetrics, 'zerosShare'> &
  Partial<Omit<PolicyStepMetrics, keyof RunMetrics> & Pick<RunMetrics, 'zerosShare'>>;

/** Shares of right answers on unseen problems, by domain. */
export interface AccuracyMetrics {
  step: number;
  scores: Record<string, number>;
}

export interface MetricsHistory {
  /** One for each process of the run. */
  starts: StartMetrics[];
  steps: RecordedStep[];
  evaluations: EvaluationMetrics[];
  accuracies: AccuracyMetrics[];
  warnings: RunWarning[];
  /** When the file was last written, in milliseconds since 1970; 0 if there is none. */
  writtenAt: number;
}

/**
 * All that a run has written; nothing for a directory without metrics.
 *
 * @throws UserError if the file cannot be read
 */
export function readMetrics(directory: string): Promise<MetricsHistory> {
  return new MetricsReader(directory).refresh();
}

export class MetricsReader {
  readonly #path: string;
  #offset = 0;
  /** The file that was read, which a run that goes on replaces by another. */
  #inode = 0;
  #history = emptyHistory();

  constructor(directory: string) {
    this.#path = join(directory, METRICS_FILE);
  }

  /** @throws UserError if the file cannot be read */
  async refresh(): Promise<MetricsHistory> {
    const file = await fs.open(this.#path).catch((error) => {
      if (errorCode(error) === 'ENOENT') return null;
      throw asUserError(error, `cannot read ${this.#path}`);
    });
    if (!file) return emptyHistory();
    try {
      const { size, ino, mtimeMs } = await file.stat();
      if (ino !== this.#inode || size < this.#offset) {
        this.#history = emptyHistory();
        [this.#inode, this.#offset] = [ino, 0];
      }
      const bytes = Buffer.alloc(size - this.#offset);
      const { bytesRead } = await file.read(bytes, 0, bytes.length, this.#offset);
      // What follows the last end of a line is not whole yet.
      const end = bytes.subarray(0, bytesRead).lastIndexOf('\n') + 1;
      this.#offset += end;
      for (const line of bytes.toString('utf8', 0, end).split('\n')) this.#take(line);
      this.#history.writtenAt = mtimeMs;
      return this.#history;
    } catch (error) {
      throw asUserError(error, `cannot read ${this.#path}`);
    } finally {
      await file.close();
    }
  }

  #take(line: string): void {
    const record = metricsOf(line);
    const history = this.#history;
    // Our own files; lines of other kinds are left out, as are broken ones.
    switch (record?.type) {
      case 'start':
        history.starts.push(record as unknown as StartMetrics);
        break;
      case 'step': {
        // Runs of before losses and zeros were told apart.
        const former = { lossByLabel: {}, zerosByLayer: [], zerosByExpert: [] };
        history.steps.push({ ...former, ...record } as unknown as RecordedStep);
        break;
      }
      case 'evaluation':
        history.evaluations.push(record as unknown as EvaluationMetrics);
        break;
      case 'accuracy':
        history.accuracies.push(record as unknown as AccuracyMetrics);
        break;
      case 'warning':
        history.warnings.push(record as unknown as RunWarning);
    }
  }
}

function emptyHistory(): MetricsHistory {
  return { starts: [], steps: [], evaluations: [], accuracies: [], warnings: [], writtenAt: 0 };
}
