import { Command } from 'commander';
import pc from 'picocolors';
import { readPipeline, runPipeline } from '../rl/run/pipeline.ts';
import type { Precision } from '../tensor/device.ts';
import { RunFollower } from './follow-run.ts';
import { stoppable } from './interrupt.ts';
import {
  type DeviceOptions,
  openDevice,
  type PrecisionOptions,
  withDevice,
  withPrecision,
} from './options.ts';

export function pipelineCommand(): Command {
  const command = new Command('pipeline')
    .description('train stage after stage as a JSON file lists them; one that was stopped goes on')
    .argument('<file>', 'JSON file of the pipeline');
  return withPrecision(withDevice(command)).action(pipeline);
}

async function pipeline(path: string, options: DeviceOptions & PrecisionOptions): Promise<void> {
  const stages = await readPipeline(path);
  if (options.precision !== undefined) {
    for (const { run } of stages) run.config.precision = options.precision;
  }
  await stoppable('stopping after this step', async (signal) => {
    let follower: RunFollower | null = null;
    const open = (precision: Precision | 'auto') => openDevice({ ...options, precision });
    try {
      for await (const event of runPipeline(stages, open, signal)) {
        if (event.type === 'run') follower?.show(event.event);
        if (event.type === 'stage') {
          const { stage, number, of, isDone } = event;
          follower?.end();
          const state = isDone ? pc.dim(': done') : '';
          console.error(`${pc.bold(`stage ${number} of ${of}, ${stage.name}`)}${state}`);
          follower = isDone ? null : new RunFollower(stage.run.config.steps);
        }
        if (event.type === 'end' && event.result) {
          console.error(`all stages are done; try: mimoflash chat --model ${event.result}`);
        }
      }
    } finally {
      follower?.end();
    }
  });
}
