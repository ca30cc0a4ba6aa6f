import { resolve } from 'node:path';
import { Command } from 'commander';
import pc from 'picocolors';
import { describeModel } from '../model/describe.ts';
import type { Device } from '../tensor/device.ts';
import { readTrainingConfig, type TrainingConfig } from '../train/config.ts';
import { precisionOf } from '../train/open-run.ts';
import { runTraining } from '../train/run.ts';
import { stoppable } from './interrupt.ts';
import {
  type DeviceOptions,
  type PrecisionOptions,
  useDevice,
  withDevice,
  withPrecision,
} from './options.ts';
import { TrainingProgress } from './progress.ts';
import { describeShards } from './shard-line.ts';

interface TrainOptions extends DeviceOptions, PrecisionOptions {
  output?: string;
}

export function trainCommand(): Command {
  const command = new Command('train')
    .description('train a model as a JSON file says; a run that was stopped goes on')
    .argument('<config>', 'JSON file of the run')
    .option('--output <directory>', 'directory of the run, instead of the config’s');
  return withPrecision(withDevice(command)).action(train);
}

async function train(path: string, options: TrainOptions): Promise<void> {
  const config = await readTrainingConfig(path);
  if (options.output !== undefined) config.output = resolve(options.output);
  if (options.precision !== undefined) config.precision = options.precision;
  const precision = await precisionOf(config);
  await stoppable('stopping after this step', (signal) => {
    const progress = new TrainingProgress(process.stderr, config.steps);
    return useDevice({ ...options, precision }, (device) =>
      follow(device, config, signal, progress).finally(() => progress.end()),
    );
  });
}

/** Trains and shows how it goes. */
async function follow(
  device: Device,
  config: TrainingConfig,
  signal: AbortSignal,
  progress: TrainingProgress,
): Promise<void> {
  progress.note(pc.dim('preparing the data'));
  for await (const event of runTraining(device, config, { signal })) {
    switch (event.type) {
      case 'start': {
        const { trunk, active, mtp } = describeModel(event.model.config).parameters;
        const size = `${millions(trunk)} parameters, ${millions(active)} active, and ${millions(mtp)} of MTP`;
        const from = event.resumedFrom ? `, from ${event.resumedFrom}` : '';
        progress.note(pc.dim(`${size}; step ${event.step} of ${config.steps}${from}`));
        for (const file of event.files) progress.note(pc.dim(describeShards(file)));
        break;
      }
      case 'step':
        progress.step(event);
        break;
      case 'evaluation': {
        const { step, loss, mtpLosses, scores } = event;
        const figures = { 'held-out loss': loss, ...mtpFigures(mtpLosses), ...scores };
        const text = Object.entries(figures).map(([name, value]) => `${name} ${value.toFixed(4)}`);
        progress.note(`step ${step}: ${text.join(', ')}`);
        break;
      }
      case 'warning':
        progress.note(pc.yellow(event.text));
        break;
      case 'checkpoint':
        progress.note(pc.dim(`saved ${event.path}`));
        break;
      case 'finish':
        progress.note(
          event.reason === 'done'
            ? `trained; try: mimoflash chat --model ${event.checkpoint}`
            : `stopped at step ${event.step}; the same command goes on`,
        );
    }
  }
}

function mtpFigures(losses: readonly number[]): Record<string, number> {
  return Object.fromEntries(losses.map((loss, head) => [`mtp ${head + 1}`, loss]));
}

function millions(count: number): string {
  return `${(count / 1e6).toPrecision(3)}M`;
}
