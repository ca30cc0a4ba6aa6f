/** Reads back what a run has written to its `metrics.jsonl`, also while it is being written. */
import fs from 'node:fs/promises';
import { join } from 'node:path';
import { asUserError, errorCode } from '../checkpoint/file-errors.ts';
import type { RunMetrics } from './run.ts';
import { METRICS_FILE } from './run-directory.ts';
import type { LossMeans } from './step-sums.ts';

export type EvaluationMetrics = { step: number; scores: Record<string, number> } & LossMeans;

export interface MetricsHistory {
  steps: RunMetrics[];
  evaluations: EvaluationMetrics[];
}

/**
 * Empty for a directory without metrics. A line that is not whole yet is left out.
 *
 * @throws UserError if the file cannot be read
 */
export async function readMetrics(directory: string): Promise<MetricsHistory> {
  const path = join(directory, METRICS_FILE);
  const text = await fs.readFile(path, 'utf8').catch((error) => {
    if (errorCode(error) === 'ENOENT') return '';
    throw asUserError(error, `cannot read ${path}`);
  });
  const history: MetricsHistory = { steps: [], evaluations: [] };
  for (const line of text.split('\n')) {
    const record = parseLine(line);
    if (record?.type === 'step') history.steps.push(record as unknown as RunMetrics);
    if (record?.type === 'evaluation') {
      history.evaluations.push(record as unknown as EvaluationMetrics);
    }
  }
  return history;
}

function parseLine(line: string): Record<string, unknown> | null {
  try {
    return JSON.parse(line);
  } catch {
    return null;
  }
}
