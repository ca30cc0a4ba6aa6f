import fs from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import Table from 'cli-table3';
import { Command } from 'commander';
import pc from 'picocolors';
import { asUserError } from '../checkpoint/file-errors.ts';
import type { RunSummary } from '../watch/summary.ts';
import { RunWatcher } from '../watch/watcher.ts';
import { checkDirectory, numberBetween } from './options.ts';
import { formatDuration } from './progress.ts';
import { runPlots } from './run-plots.ts';
import { sparkline } from './sparkline.ts';

interface RunsOptions {
  once?: boolean;
  json?: boolean;
  plot?: string;
  every: number;
}

export function runsCommand(): Command {
  return new Command('runs')
    .description('how training runs stand; on a terminal, live')
    .argument('[directory]', 'where the runs are', 'out')
    .option('--once', 'show them once')
    .option('--every <seconds>', 'time between two looks', numberBetween(0.2, 3600), 2)
    .option('--plot <folder>', 'draw the curves of each as SVG, once')
    .option('--json', 'print JSON, once')
    .action(show);
}

async function show(directory: string, options: RunsOptions): Promise<void> {
  await checkDirectory(directory);
  const watcher = new RunWatcher(resolve(directory));
  if (options.json) {
    console.log(JSON.stringify(await watcher.summaries(), null, 2));
    return;
  }
  if (options.plot !== undefined) {
    await draw(watcher, resolve(options.plot));
    return;
  }
  const { stdout } = process;
  if (options.once || !stdout.isTTY) {
    stdout.write(`${runsTable(await watcher.summaries(), directory)}\n`);
    return;
  }
  for (;;) {
    const table = runsTable(await watcher.summaries(), directory);
    stdout.write(`\x1b[H\x1b[J${table}\n${pc.dim('Ctrl-C ends this, not the runs')}\n`);
    await setTimeout(1000 * options.every);
  }
}

/** Most points of a curve. */
const plottedPoints = 1000;

async function draw(watcher: RunWatcher, folder: string): Promise<void> {
  await fs.mkdir(folder, { recursive: true }).catch((error) => {
    throw asUserError(error, `cannot make ${folder}`);
  });
  for (const { run } of await watcher.summaries()) {
    const curves = await watcher.curves(run, 0, plottedPoints);
    for (const [name, svg] of Object.entries(curves ? runPlots(curves) : {})) {
      const file = join(folder, `${run.replaceAll(/[/.]+/g, '-')}-${name}.svg`);
      await fs.writeFile(file, svg).catch((error) => {
        throw asUserError(error, `cannot write ${file}`);
      });
      console.log(file);
    }
  }
}

/** A line a run, the latest first, and what they warn of. */
export function runsTable(runs: readonly RunSummary[], directory: string): string {
  if (runs.length === 0) return `no runs in ${directory}`;
  const table = new Table({
    head: [
      'run',
      'step',
      'tokens',
      'loss',
      '',
      'held out',
      'mtp',
      'violation',
      '',
      'zeros',
      'norm',
      'tokens/s',
      '',
    ],
    colAligns: [
      'left',
      'right',
      'right',
      'right',
      'left',
      'right',
      'left',
      'right',
      'left',
      'right',
      'right',
      'right',
      'left',
    ],
    style: { head: [], border: [], compact: true },
  });
  for (const run of runs) {
    table.push([
      run.run === '.' ? directory : run.run,
      run.steps === null ? run.step : `${run.step}/${run.steps}`,
      short(run.totalTokens),
      run.loss.toFixed(3),
      // The loss of reinforcement learning says little.
      sparkline(run.reward === null ? run.curves.loss : run.curves.reward),
      run.reward === null ? (run.heldOutLoss?.toFixed(3) ?? '') : `reward ${run.reward.toFixed(2)}`,
      run.mtpLosses.map((loss) => loss.toFixed(2)).join(' '),
      run.meanViolation.toFixed(2),
      sparkline(run.curves.meanViolation),
      short(run.numZeros),
      run.gradientNorm.toFixed(2),
      short(run.tokensPerSecond),
      run.remainingSeconds === null
        ? pc.dim(run.state)
        : pc.green(`${formatDuration(run.remainingSeconds)} left`),
    ]);
  }
  const warnings = runs.flatMap(({ run, warning }) =>
    warning === null ? [] : [pc.yellow(`${run}: ${warning.text}`)],
  );
  return [table.toString(), ...warnings].join('\n');
}

/** Three digits and a unit. */
function short(count: number): string {
  const units = ['', 'k', 'M', 'G'];
  const power = Math.min(3, Math.max(0, Math.floor(Math.log10(Math.max(count, 1)) / 3)));
  return `${Number((count / 1000 ** power).toPrecision(3))}${units[power]}`;
}
