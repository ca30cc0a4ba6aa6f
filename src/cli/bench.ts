import { availableParallelism } from 'node:os';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import Table from 'cli-table3';
import { Command, InvalidArgumentError } from 'commander';
import { type BenchReport, bench, type Shape } from '../eval/bench.ts';
import type { KernelTime } from '../eval/profile.ts';
import { type DeviceOptions, positiveInteger, withDevice } from './options.ts';
import { statusLine } from './status-line.ts';

const shapeFile = (name: string) =>
  fileURLToPath(new URL(`../../bench/${name}.json`, import.meta.url));

interface BenchCommandOptions extends DeviceOptions {
  sizes: number[];
  train: string;
  decode: string;
  contexts: number[];
  tokens: number;
  length: number;
  profile?: boolean;
  json?: boolean;
}

export function benchCommand(): Command {
  const command = new Command('bench')
    .description('measure matmul, memory, training and decoding on this machine')
    .option('--sizes <list>', 'sides of square matrix products', numbers, [256, 512, 1024, 2048])
    .option('--train <config>', 'hub config to train, or none', shapeFile('5m'))
    .option('--tokens <count>', 'tokens of a training step', positiveInteger, 4096)
    .option('--length <count>', 'tokens of a training document', positiveInteger, 512)
    .option('--decode <config>', 'hub config to decode with, or none', shapeFile('350m'))
    .option('--contexts <list>', 'contexts to decode at, in tokens', numbers, [1, 1024])
    .option('--profile', 'show how long each kernel takes')
    .option('--json', 'print JSON');
  return withDevice(command).action(run);
}

async function run(options: BenchCommandOptions): Promise<void> {
  const report = await bench(
    {
      device: options.device,
      threads: options.threads ?? availableParallelism(),
      sizes: options.sizes,
      trainingShape: options.train === 'none' ? null : options.train,
      decodeShape: options.decode === 'none' ? null : options.decode,
      contexts: options.contexts,
      profile: options.profile === true,
      trainingTokens: options.tokens,
      sequenceLength: options.length,
    },
    statusLine.show,
  );
  statusLine.clear();
  if (options.json) console.log(JSON.stringify(report, null, 2));
  else print(report);
}

function print(report: BenchReport): void {
  const { device, matmul, readBandwidth, training, decode, profile } = report;
  console.log(`${device}\n`);
  const threads = [...new Set(matmul.map((figure) => figure.threads))];
  const products = table('matmul f32', ...threads.map((count) => `${count} threads, GFLOP/s`));
  for (const size of new Set(matmul.map((figure) => figure.size))) {
    const rates = threads.map((count) =>
      matmul.find((figure) => figure.size === size && figure.threads === count)!.gflops.toFixed(1),
    );
    products.push([`${size}³`, ...rates]);
  }
  console.log(products.toString());
  console.log(`\nread bandwidth ${readBandwidth.toFixed(1)} GB/s`);
  if (training) {
    console.log(`\n${describe(training.shape)}`);
    const rows = table('training', 'tokens/s', 'GFLOP/s', 'of matmul 1024³');
    for (const figure of training.figures) {
      rows.push([
        `${figure.tokens} tokens in documents of ${figure.sequenceLength}`,
        figure.tokensPerSecond.toFixed(0),
        figure.gflops.toFixed(1),
        percent(figure.shareOfMatmul),
      ]);
    }
    console.log(rows.toString());
  }
  if (decode) {
    console.log(`\n${describe(decode.shape)}`);
    const rows = table('decode f32', 'tokens/s', 'GB/s', 'of read bandwidth');
    for (const figure of decode.figures) {
      rows.push([
        `context ${figure.context}`,
        figure.tokensPerSecond.toFixed(1),
        figure.gigabytesPerSecond.toFixed(1),
        percent(figure.shareOfBandwidth),
      ]);
    }
    console.log(rows.toString());
  }
  if (profile) {
    printProfile('training', profile.training);
    printProfile('decoding', profile.decode);
  }
}

function printProfile(what: string, times: KernelTime[]): void {
  const total = times.reduce((sum, { seconds }) => sum + seconds, 0);
  const rows = table(`kernels of ${what}`, 'calls', 'ms a call', 'of all');
  for (const { kernel, calls, seconds } of times.filter((time) => time.seconds > 0.005 * total)) {
    rows.push([kernel, calls, ((1e3 * seconds) / calls).toFixed(3), percent(seconds / total)]);
  }
  console.log(`\n${rows.toString()}`);
}

function describe({ name, parameters, activeParameters, mtpHeads }: Shape): string {
  const millions = (count: number) => `${(count / 1e6).toPrecision(3)}M`;
  return `${basename(name)}: ${millions(parameters)} parameters, ${millions(activeParameters)} active a token, ${mtpHeads} MTP heads`;
}

function table(...head: string[]) {
  const colAligns = head.map((_, column) => (column === 0 ? 'left' : 'right') as 'left' | 'right');
  return new Table({ head, colAligns, style: { head: [], border: [] } });
}

function percent(share: number): string {
  return `${(100 * share).toFixed(0)} %`;
}

function numbers(text: string): number[] {
  const list = text.split(',').map(Number);
  if (!list.every((value) => Number.isInteger(value) && value > 0)) {
    throw new InvalidArgumentError('give whole numbers separated by commas');
  }
  return list;
}
