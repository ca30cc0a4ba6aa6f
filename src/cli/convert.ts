import { Command, Option } from 'commander';
import type { Checkpoint } from '../checkpoint/checkpoint.ts';
import { findCheckpoint } from '../checkpoint/checkpoint-directory.ts';
import { openCheckpoint } from '../checkpoint/load.ts';
import { type ParameterData, saveCheckpoint } from '../checkpoint/save.ts';
import { parameterSpecs } from '../model/parameters.ts';
import { companionFiles } from './companion-files.ts';

interface ConvertOptions {
  dtype: 'f32' | 'f16' | 'bf16';
  mtpFile?: boolean;
}

export function convertCommand(): Command {
  return new Command('convert')
    .description('write a checkpoint anew: another number format, FP8 blocks decoded, one file')
    .argument('<checkpoint>', 'directory in the hub’s layout')
    .argument('<directory>', 'where to write')
    .addOption(
      new Option('--dtype <type>', 'of the weights; the router stays f32')
        .choices(['f32', 'f16', 'bf16'])
        .default('f16'),
    )
    .option('--mtp-file', 'put MTP blocks into model_mtp.safetensors, as in the released model')
    .action(convert);
}

async function convert(from: string, to: string, options: ConvertOptions): Promise<void> {
  const checkpoint = await openCheckpoint(from);
  try {
    await saveCheckpoint(to, checkpoint.config, parametersOf(checkpoint), {
      dtype: options.dtype,
      mtpInOwnFile: options.mtpFile === true,
      files: await companionFiles(await findCheckpoint(from)),
    });
  } finally {
    await checkpoint.close();
  }
  console.log(`wrote ${to} in ${options.dtype}`);
}

/** A checkpoint's parameters, one at a time. */
export async function* parametersOf(checkpoint: Checkpoint): AsyncGenerator<ParameterData> {
  for (const spec of parameterSpecs(checkpoint.config)) {
    yield { spec, data: await checkpoint.readParameter(spec) };
  }
}
