/** Metrics of training runs as `train` writes them, for the page that draws them. */
import { appendFile, mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

export interface RunFile {
  /** Writes further lines. */
  append(...lines: string[]): Promise<void>;
  /** Begins anew, as a run does that goes on from an earlier step. */
  replace(...lines: string[]): Promise<void>;
}

export async function writeRun(folder: string, run: string, ...lines: string[]): Promise<RunFile> {
  const directory = join(folder, run);
  const path = join(directory, 'metrics.jsonl');
  await mkdir(directory, { recursive: true });
  await writeFile(path, lines.join(''));
  return {
    append: (...more) => appendFile(path, more.join('')),
    replace: async (...all) => {
      await writeFile(`${path}.new`, all.join(''));
      await rename(`${path}.new`, path);
    },
  };
}

const line = (record: object) => `${JSON.stringify(record)}\n`;

export const start = (steps: number, step = 0) =>
  line({ type: 'start', step, steps, device: 'none', precision: 'f32' });

export const warning = (step: number, text: string) =>
  line({ type: 'warning', step, text, stops: false });

export const evaluation = (step: number, loss: number) =>
  line({
    ...{ type: 'evaluation', step, loss, mtpLosses: [loss], entropy: 1, scores: {} },
    byLabel: { code: { loss, entropy: 1, targets: 10 } },
  });

/** The steps from one to another, each with a loss of 100 over its number. */
export const steps = (from: number, to: number, changes: object = {}) =>
  Array.from({ length: to - from + 1 }, (_, i) => step(from + i, changes)).join('');

function step(number: number, changes: object): string {
  return line({
    ...{ type: 'step', step: number, tokens: 1000, totalTokens: 1000 * number },
    ...{ loss: 100 / number, mtpLosses: [110 / number, 120 / number], entropy: 1 },
    lossByLabel: { code: 90 / number, shell: 95 / number },
    ...{ gradientNorm: 1 / number, learningRate: 1e-3, balanceLoss: 1.1 },
    ...{ numZeros: 500, zerosShare: 0.05, zerosByLayer: [0.01, 0.09], deadExperts: 0 },
    ...{ zerosByExpert: [[7, 0, 30]], maxViolation: [1, 3], meanViolation: [0.5, 1.5] },
    ...{ tokensPerSecond: 2000, seconds: number / 2 },
    ...changes,
  });
}

/** What post-training writes beside the rest. */
export const policy = {
  reward: 0.625,
  rewardByDomain: { mathematics: 0.75, tools: 0.5 },
  passRates: { 'arithmetic/easy/en': 0.375, 'shell/easy/en': 0.25 },
  rollouts: { tokens: 10, acceptanceLength: 2.875, hitRates: [0.9], tokensPerSecond: 100 },
  mismatch: { tokens: 10, kl: 0, klPositive: 1e-4, largestGap: 1, below: 0.01, above: 0.02 },
  algorithm: { gatedLow: 0.03, teacherGap: 0.4 },
  staleness: { mean: 0.5, max: 2 },
  cut: 0.125,
  parts: { sampling: 3, teachers: 1, training: 2 },
};
