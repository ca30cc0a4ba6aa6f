import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { Command, InvalidArgumentError, Option } from 'commander';
import { bench } from '../eval/bench.ts';
import type { BatchSizes } from '../eval/bench-inference.ts';
import { printBench } from './bench-tables.ts';
import {
  type CacheOptions,
  type DeviceOptions,
  type PrecisionOptions,
  positiveInteger,
  withCacheType,
  withDevice,
  withPrecision,
} from './options.ts';
import { statusLine } from './status-line.ts';

const shapeFile = (name: string) =>
  fileURLToPath(new URL(`../../bench/${name}.json`, import.meta.url));

interface BenchCommandOptions extends DeviceOptions, PrecisionOptions, CacheOptions {
  sizes: number[];
  train: string;
  tokens: number;
  length: number;
  mtpHeads?: number[];
  decode: string;
  prefill: BatchSizes | 'none';
  contexts: BatchSizes[];
  profile?: boolean;
  json?: boolean;
}

export function benchCommand(): Command {
  const command = new Command('bench')
    .description('measure matmul, memory, training, prefill and decoding on this machine')
    .option('--sizes <list>', 'sides of square matrix products', list(1), [256, 512, 1024, 2048])
    .option('--train <config>', 'hub config to train, or none', shapeFile('5m'))
    .option('--tokens <count>', 'tokens of a training step', positiveInteger, 4096)
    .option('--length <count>', 'tokens of a training document', positiveInteger, 512)
    .option('--mtp-heads <list>', "MTP heads to train with (default: the config's)", list(0))
    .option(
      '--decode <config>',
      'hub config to prefill and decode with, or none',
      shapeFile('350m'),
    )
    .addOption(
      new Option('--prefill <sizes>', 'prompts x tokens to prefill together, or none')
        .argParser(prefillSizes)
        .default({ sequences: 1, length: 512 }, '1x512'),
    )
    .addOption(
      new Option('--contexts <list>', 'contexts to decode at: tokens, or sequences x tokens')
        .argParser((text) => text.split(',').map(batchSizes))
        .default([batchSizes('1'), batchSizes('1024')], '1,1024'),
    )
    .option('--profile', 'show how long each kernel takes, and how long it must')
    .option('--json', 'print JSON');
  return withPrecision(withCacheType(withDevice(command))).action(run);
}

async function run(options: BenchCommandOptions): Promise<void> {
  const report = await bench(
    {
      device: options.device,
      precision: options.precision ?? 'f32',
      threads: options.threads ?? availableParallelism(),
      sizes: options.sizes,
      trainingShape: options.train === 'none' ? null : options.train,
      trainingTokens: options.tokens,
      sequenceLength: options.length,
      mtpHeads: options.mtpHeads ?? null,
      decodeShape: options.decode === 'none' ? null : options.decode,
      prefill: options.prefill === 'none' ? null : options.prefill,
      contexts: options.contexts,
      cacheType: options.cacheType,
      profile: options.profile === true,
    },
    statusLine.show,
  );
  statusLine.clear();
  if (options.json) console.log(JSON.stringify(report, null, 2));
  else printBench(report);
}

/** Whole numbers from `least`, separated by commas. */
function list(least: number): (text: string) => number[] {
  return (text) => {
    const numbers = text.split(',').map(Number);
    if (!numbers.every((value) => Number.isInteger(value) && value >= least)) {
      throw new InvalidArgumentError(`give whole numbers from ${least}, separated by commas`);
    }
    return numbers;
  };
}

function prefillSizes(text: string): BatchSizes | 'none' {
  return text === 'none' ? 'none' : batchSizes(text);
}

function batchSizes(text: string): BatchSizes {
  const [, sequences = '1', length] = text.match(/^(?:([1-9]\d*)x)?([1-9]\d*)$/) ?? [];
  if (!length) throw new InvalidArgumentError('give tokens, or sequences x tokens such as 32x1024');
  return { sequences: Number(sequences), length: Number(length) };
}
