import { resolve } from 'node:path';
import { Command } from 'commander';
import { runConfig } from '../rl/run/pipeline.ts';
import { readRunConfig } from '../rl/run/read-config.ts';
import { precisionOf } from '../train/open-run.ts';
import { RunFollower } from './follow-run.ts';
import { stoppable } from './interrupt.ts';
import {
  type DeviceOptions,
  type PrecisionOptions,
  useDevice,
  withDevice,
  withPrecision,
} from './options.ts';

interface TrainOptions extends DeviceOptions, PrecisionOptions {
  output?: string;
}

export function trainCommand(): Command {
  const command = new Command('train')
    .description(
      'train a model as a JSON file says: pre-training, SFT, a teacher, distillation; a run that was stopped goes on',
    )
    .argument('<config>', 'JSON file of the run')
    .option('--output <directory>', 'directory of the run, instead of the config’s');
  return withPrecision(withDevice(command)).action(train);
}

async function train(path: string, options: TrainOptions): Promise<void> {
  const run = await readRunConfig(path);
  if (options.output !== undefined) run.config.output = resolve(options.output);
  if (options.precision !== undefined) run.config.precision = options.precision;
  const precision = await precisionOf(run.config);
  await stoppable('stopping after this step', (signal) =>
    useDevice({ ...options, precision }, async (device) => {
      const follower = new RunFollower(run.config.steps);
      try {
        for await (const event of runConfig(device, run, signal)) follower.show(event);
      } finally {
        follower.end();
      }
    }),
  );
}
