import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { Command, InvalidArgumentError, Option } from 'commander';
import { bench } from '../eval/bench.ts';
import type { PrefillSizes } from '../eval/bench-inference.ts';
import type { Precision } from '../eval/roofline.ts';
import { printBench } from './bench-tables.ts';
import { type DeviceOptions, positiveInteger, withDevice } from './options.ts';
import { statusLine } from './status-line.ts';

const shapeFile = (name: string) =>
  fileURLToPath(new URL(`../../bench/${name}.json`, import.meta.url));

interface BenchCommandOptions extends DeviceOptions {
  precision: Precision;
  sizes: number[];
  train: string;
  tokens: number;
  length: number;
  mtpHeads?: number[];
  decode: string;
  prefill: PrefillSizes | 'none';
  contexts: number[];
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
        .argParser(sizes)
        .default({ sequences: 1, length: 512 }, '1x512'),
    )
    .option('--contexts <list>', 'contexts to decode at, in tokens', list(1), [1, 1024])
    .option('--profile', 'show how long each kernel takes, and how long it must')
    .option('--json', 'print JSON')
    .addOption(
      new Option('--precision <name>', 'what the webgpu device rounds operands to')
        .choices(['f32', 'mixed'])
        .default('f32'),
    );
  return withDevice(command).action(run);
}

async function run(options: BenchCommandOptions): Promise<void> {
  const report = await bench(
    {
      device: options.device,
      precision: options.precision,
      threads: options.threads ?? availableParallelism(),
      sizes: options.sizes,
      trainingShape: options.train === 'none' ? null : options.train,
      trainingTokens: options.tokens,
      sequenceLength: options.length,
      mtpHeads: options.mtpHeads ?? null,
      decodeShape: options.decode === 'none' ? null : options.decode,
      prefill: options.prefill === 'none' ? null : options.prefill,
      contexts: options.contexts,
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

function sizes(text: string): PrefillSizes | 'none' {
  if (text === 'none') return 'none';
  const [, sequences, length] = text.match(/^([1-9]\d*)x([1-9]\d*)$/) ?? [];
  if (!length) throw new InvalidArgumentError('give sequences x tokens, such as 32x1024, or none');
  return { sequences: Number(sequences), length: Number(length) };
}
