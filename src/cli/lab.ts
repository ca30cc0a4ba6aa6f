import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Argument, Command, InvalidArgumentError } from 'commander';
import pc from 'picocolors';
import { EXPERIMENTS, type LabEnd, type Part } from '../lab/index.ts';
import { stoppable } from './interrupt.ts';
import {
  type DeviceOptions,
  type PrecisionOptions,
  useDevice,
  withDevice,
  withPrecision,
} from './options.ts';
import { statusLine } from './status-line.ts';

interface LabCommandOptions extends DeviceOptions, PrecisionOptions {
  config?: string;
  output?: string;
  reports?: string;
  quick?: boolean;
  part?: Part;
}

export function labCommand(): Command {
  const names = EXPERIMENTS.map(({ name }) => name);
  const list = EXPERIMENTS.map(({ name, description }) => `  ${name.padEnd(12)} ${description}`);
  const command = new Command('lab')
    .description('run an experiment on the report’s findings and write a report on it')
    .addArgument(new Argument('<experiment>', 'which').choices(names))
    .option('--config <file>', 'JSON file of the experiment (default: runs/lab-<experiment>.json)')
    .option('--output <directory>', 'where its runs go (default: out/lab/<experiment>)')
    .option('--reports <directory>', 'where the report goes (default: docs/reports)')
    .option('--quick', 'seconds instead of minutes: shows that it works, and nothing else')
    .option('--part <number/of>', 'run a part of the jobs, for several processes at once', part)
    .addHelpText('after', `\nExperiments:\n${list.join('\n')}`);
  return withPrecision(withDevice(command)).action(run);
}

async function run(name: string, options: LabCommandOptions): Promise<void> {
  const experiment = EXPERIMENTS.find((each) => each.name === name)!;
  const quick = options.quick === true;
  const usual = join('out', 'lab', quick ? `${name}-quick` : name);
  const output = resolve(options.output ?? usual);
  const configPath =
    options.config ?? fileURLToPath(new URL(`../../runs/lab-${name}.json`, import.meta.url));
  const precision = options.precision ?? 'auto';
  const end = await stoppable('stopping', (signal) =>
    useDevice({ ...options, precision }, (device) =>
      experiment.run({
        device,
        configPath: resolve(configPath),
        quick,
        output,
        // What a quick run measures must not take the place of a report.
        reports: resolve(options.reports ?? (quick ? output : join('docs', 'reports'))),
        ...(options.part && { part: options.part }),
        signal,
        progress: statusLine.show,
      }),
    ),
  );
  statusLine.clear();
  console.log(describeEnd(end));
}

function describeEnd(end: LabEnd): string {
  switch (end.state) {
    case 'reported':
      return `wrote ${end.path}`;
    case 'stopped':
      return 'stopped; the same command goes on';
    case 'part done':
      return end.missing.length === 0
        ? 'all jobs are done; the same command without --part writes the report'
        : pc.dim(`this part is done; still without an outcome: ${end.missing.join(', ')}`);
  }
}

function part(text: string): Part {
  const [, number, of] = (text.match(/^(\d+)\/(\d+)$/) ?? []).map(Number);
  if (!number || !of || number > of) throw new InvalidArgumentError('give a part such as 1/4');
  return { number, of };
}
