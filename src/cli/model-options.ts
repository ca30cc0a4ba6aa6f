import { type Command, Option } from 'commander';
import pc from 'picocolors';
import { Assistant } from '../engine/assistant.ts';
import type { SamplingOptions } from '../engine/sampling.ts';
import { shippedModel } from '../shipped-model.ts';
import type { Device } from '../tensor/device.ts';
import {
  type CacheOptions,
  type DeviceOptions,
  naturalNumber,
  numberBetween,
  positiveInteger,
  withCacheType,
  withDevice,
} from './options.ts';

export interface ModelOptions extends DeviceOptions, CacheOptions {
  model: string;
  temperature: number;
  topP: number;
  topK: number;
  minP: number;
  seed: number;
  maxTokens?: number;
  drafts?: number;
}

/** Adds the options of commands that generate text; `maxTokens` is what they generate at most unless asked. */
export function withModel(command: Command, maxTokens?: number): Command {
  return withCacheType(withDevice(command))
    .addOption(
      new Option('--model <directory>', 'checkpoint in the hub’s layout').default(
        shippedModel,
        'the one that ships',
      ),
    )
    .option('--temperature <number>', '0 takes the most probable token', numberBetween(0, 10), 0)
    .option(
      '--top-p <number>',
      'keep the most probable tokens up to this mass',
      numberBetween(0, 1),
      1,
    )
    .option(
      '--top-k <count>',
      'keep this many of the most probable tokens; 0 for all',
      naturalNumber,
      0,
    )
    .option(
      '--min-p <number>',
      'keep tokens with at least this share of the largest probability',
      numberBetween(0, 1),
      0,
    )
    .option('--seed <number>', 'seed of the sampling', naturalNumber, 0)
    .option('--max-tokens <count>', 'most tokens to generate', positiveInteger, maxTokens)
    .option(
      '--drafts <count>',
      'MTP heads to draft with; 0 for none (default: all)',
      naturalNumber,
    );
}

/** Loads the model that is asked for, and says on stderr what its caches hold. */
export async function loadAssistant(
  device: Device,
  { model, cacheType }: { model: string } & CacheOptions,
): Promise<Assistant> {
  const assistant = await Assistant.load(device, model, console.error, { cacheType });
  console.error(pc.dim(`caches of ${assistant.sequence.cacheType}`));
  return assistant;
}

export function generationOptions(options: ModelOptions): {
  sampling: SamplingOptions;
  seed: number;
  maxTokens?: number;
  drafts?: number;
} {
  const { temperature, topP, topK, minP, seed, maxTokens, drafts } = options;
  return {
    sampling: { temperature, topP, topK, minP },
    seed,
    ...(maxTokens !== undefined && { maxTokens }),
    ...(drafts !== undefined && { drafts }),
  };
}
