/** What `bench` measured, as tables for people. */
import { basename } from 'node:path';
import Table from 'cli-table3';
import type { BenchReport, Shape } from '../eval/bench.ts';
import type { KernelTime } from '../eval/profile.ts';
import type { ProductFigure } from '../eval/roofline.ts';

export function printBench(report: BenchReport): void {
  console.log(`${report.device}, ${report.precision}\n`);
  printProducts(report);
  const { read, copy } = report.bandwidth;
  console.log(`\nmemory: reading ${read.toFixed(1)} GB/s, copying ${copy.toFixed(1)} GB/s`);
  if (report.training) printTraining(report.training);
  if (report.inference) printInference(report.inference);
}

function printProducts({ products, singleThreadProducts }: BenchReport): void {
  const columns = new Map<string, ProductFigure[]>();
  for (const precision of new Set(products.map((figure) => figure.precision))) {
    columns.set(
      precision,
      products.filter((figure) => figure.precision === precision),
    );
  }
  if (singleThreadProducts.length > 0) columns.set('one thread', singleThreadProducts);
  const rows = table('matmul, GFLOP/s', ...columns.keys());
  for (const { size, layout } of products.filter(({ precision }) => precision === 'f32')) {
    const rates = [...columns.values()].map(
      (figures) =>
        figures.find((figure) => figure.size === size && figure.layout === layout)!.gflops,
    );
    rows.push([`${size}³ ${layout}`, ...rates.map(rounded)]);
  }
  console.log(rows.toString());
}

function printTraining({ shape, figures }: NonNullable<BenchReport['training']>): void {
  console.log(`\n${describe(shape)}`);
  const rows = table('training', 'tokens/s', 'GFLOP/s', 'of best product');
  for (const figure of figures) {
    rows.push([
      `${figure.tokens} tokens in documents of ${figure.sequenceLength}, ${mtpHeads(figure)}`,
      figure.tokensPerSecond.toFixed(0),
      rounded(figure.gflops),
      percent(figure.shareOfProduct),
    ]);
  }
  console.log(rows.toString());
  for (const figure of figures) {
    const seconds = figure.tokens / figure.tokensPerSecond;
    printKernels(`a training step, ${mtpHeads(figure)}`, figure.kernels, 1, seconds);
  }
}

function printInference({ shape, prefill, decode }: NonNullable<BenchReport['inference']>): void {
  console.log(`\n${describe(shape)}`);
  if (prefill.length > 0) {
    const rows = table('prefill', 'tokens/s', 'GFLOP/s', 'of best product');
    for (const { sequences, length, tokensPerSecond, gflops, shareOfProduct } of prefill) {
      const rate = [tokensPerSecond.toFixed(0), rounded(gflops), percent(shareOfProduct)];
      rows.push([`${sequences} of ${length} tokens`, ...rate]);
    }
    console.log(rows.toString());
  }
  if (decode.length > 0) {
    const rows = table('decoding', 'tokens/s', 'GB/s', 'of reading');
    for (const figure of decode) {
      rows.push([
        `${figure.sequences} at context ${figure.length}, caches of ${figure.cacheType}`,
        figure.tokensPerSecond.toFixed(1),
        figure.gigabytesPerSecond.toFixed(1),
        percent(figure.shareOfBandwidth),
      ]);
    }
    console.log(rows.toString());
  }
  for (const { sequences, length, tokensPerSecond, kernels } of prefill) {
    const seconds = (sequences * length) / tokensPerSecond;
    printKernels(`prefill of ${sequences} of ${length}`, kernels, 1, seconds);
  }
  for (const { sequences, length, tokensPerSecond, profile } of decode) {
    const what = `a step of ${sequences} at context ${length}`;
    const seconds = sequences / tokensPerSecond;
    printKernels(what, profile?.kernels ?? null, profile?.steps ?? 1, seconds);
  }
}

/**
 * @param runs what the calls and seconds are divided by
 * @param runSeconds how long one takes when it is not profiled
 */
function printKernels(
  what: string,
  kernels: KernelTime[] | null,
  runs: number,
  runSeconds: number,
): void {
  if (!kernels) return;
  const total = kernels.reduce((sum, { seconds }) => sum + seconds, 0);
  const head = ['calls', 'ms', 'of all', 'GFLOP/s', 'GB/s', 'of roofline', 'bound by'];
  const rows = table(`kernels of ${what}`, ...head);
  for (const { kernel, calls, seconds, work, programs } of kernels) {
    // What takes almost nothing is left to the JSON.
    if (seconds < 0.002 * total) continue;
    const time = (count: number, spent: number) => [
      (count / runs).toFixed(count % runs === 0 ? 0 : 1),
      ((1e3 * spent) / runs).toFixed(3),
      percent(spent / total),
    ];
    const rates = work
      ? [
          (work.operations / seconds / 1e9).toFixed(0),
          (work.bytes / seconds / 1e9).toFixed(0),
          percent(work.rooflineShare),
          work.bound,
        ]
      : ['', '', '', 'not known'];
    rows.push([kernel, ...time(calls, seconds), ...rates]);
    if (programs.length < 2) continue;
    for (const { program, dispatches, seconds: spent } of programs) {
      rows.push([`  ${program}`, ...time(dispatches, spent), '', '', '', '']);
    }
  }
  const milliseconds = (1e3 * total) / runs;
  console.log(
    `\n${rows.toString()}\n${milliseconds.toFixed(3)} ms in kernels; ` +
      `${(1e3 * runSeconds).toFixed(3)} ms in all when not profiled`,
  );
}

function mtpHeads({ mtpHeads: count }: { mtpHeads: number }): string {
  return `${count} MTP ${count === 1 ? 'head' : 'heads'}`;
}

function describe({ name, parameters, activeParameters }: Shape): string {
  const millions = (count: number) => `${(count / 1e6).toPrecision(3)}M`;
  return `${basename(name)}: ${millions(parameters)} parameters, ${millions(activeParameters)} active a token`;
}

function table(...head: string[]) {
  const colAligns = head.map((_, column) => (column === 0 ? 'left' : 'right') as 'left' | 'right');
  return new Table({ head, colAligns, style: { head: [], border: [], compact: true } });
}

/** With a digit after the point only where it says something. */
function rounded(value: number): string {
  return value.toFixed(value < 1000 ? 1 : 0);
}

function percent(share: number): string {
  return `${(100 * share).toFixed(0)} %`;
}
