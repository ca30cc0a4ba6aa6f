/** The runs below a directory: which there are, how each stands, and its curves. */
import fs from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { asUserError, errorCode } from '../checkpoint/file-errors.ts';
import { METRICS_FILE } from '../train/run-directory.ts';
import { columnsOf, type RunCurves } from './curves.ts';
import { MetricsReader } from './metrics-reader.ts';
import { type RunSummary, summarise } from './summary.ts';

/** How far below the directory runs are looked for. */
const deepest = 4;

export class RunWatcher {
  readonly #root: string;
  readonly #readers = new Map<string, MetricsReader>();

  constructor(root: string) {
    this.#root = root;
  }

  /**
   * All runs, the latest written first.
   *
   * @throws UserError if the directory or a file cannot be read
   */
  async summaries(now = Date.now()): Promise<RunSummary[]> {
    const runs: RunSummary[] = [];
    for (const name of await this.#names()) {
      const history = await this.#reader(name).refresh();
      if (history.steps.length > 0) runs.push(summarise(name, history, now));
    }
    return runs.sort((a, b) => b.writtenAt - a.writtenAt);
  }

  /** At most `points` steps of a run after step `after`, evenly; null if there is no such run. */
  async curves(name: string, after: number, points: number): Promise<RunCurves | null> {
    // Names of runs that there are, so that no other file can be asked for.
    if (!(await this.#names()).includes(name)) return null;
    return columnsOf(name, await this.#reader(name).refresh(), after, points);
  }

  #reader(name: string): MetricsReader {
    const reader = this.#readers.get(name) ?? new MetricsReader(join(this.#root, name));
    this.#readers.set(name, reader);
    return reader;
  }

  /** Paths of runs below the root, with `/` between folders; `.` if it is one itself. */
  async #names(): Promise<string[]> {
    const found: string[] = [];
    const visit = async (directory: string, depth: number): Promise<void> => {
      const entries = await fs.readdir(directory, { withFileTypes: true }).catch((error) => {
        // No run has been begun yet, or a checkpoint is removed meanwhile.
        if (errorCode(error) === 'ENOENT') return [];
        throw asUserError(error, `cannot read ${directory}`);
      });
      if (entries.some((entry) => entry.name === METRICS_FILE && entry.isFile())) {
        found.push(relative(this.#root, directory).replaceAll(sep, '/') || '.');
        return;
      }
      if (depth === deepest) return;
      for (const entry of entries) {
        if (entry.isDirectory()) await visit(join(directory, entry.name), depth + 1);
      }
    };
    await visit(this.#root, 0);
    return found.sort();
  }
}
