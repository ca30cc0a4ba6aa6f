/**
 * How far runs of `bench/loss-curve.ts` are from the first of them: a table of the differences of their
 * losses, and a picture of the losses and, below, of the differences on a logarithmic scale.
 *
 *   node bench/compare-losses.ts --svg loss.svg wasm.jsonl perturbed.jsonl webgpu.jsonl …
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import Table from 'cli-table3';
import { type EChartsOption, init } from 'echarts';

interface Run {
  name: string;
  /** By step, from the first. */
  losses: number[];
  /** For each step, how the experts of each layer were loaded. */
  loads: number[][];
}

/** Runs that lie on one another are told apart by colour and, for every other one, dashes. */
const lineStyles = ['#222222', '#0072b2', '#e69f00', '#d55e00', '#009e73', '#cc79a7'].map(
  (color, i) => ({ color, width: 1.5, type: i % 2 === 0 ? 'solid' : 'dashed' }) as const,
);

const { values, positionals } = parseArgs({
  options: { svg: { type: 'string' } },
  allowPositionals: true,
});
const [baseline, ...others] = positionals.map(readRun);
if (!baseline || others.length === 0) throw new Error('give the files of two runs or more');
console.log(tableOf(baseline, others));
if (values.svg) writeFileSync(values.svg, picture(baseline, others));

function readRun(path: string): Run {
  const [head, ...steps] = readFileSync(path, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  return {
    name: head.run,
    losses: steps.map(({ loss }) => loss),
    loads: steps.map(({ loads }) => loads),
  };
}

function differences({ losses }: Run, run: Run): number[] {
  return run.losses.map((loss, step) => Math.abs(loss - losses[step]!));
}

/** The first step in which a token went to another expert. */
function firstOtherRoute({ loads }: Run, run: Run): number | null {
  const step = run.loads.findIndex((layers, at) =>
    layers.some((load, i) => load !== loads[at]![i]),
  );
  return step < 0 ? null : step + 1;
}

/**
 * Mean differences over spans of steps, the mean losses over the last span, and the step in which
 * experts are first loaded in another way.
 */
function tableOf(first: Run, rest: readonly Run[]): string {
  const length = first.losses.length;
  const ends = [1, ...[1, 2, 3, 4].map((quarter) => Math.round((quarter * length) / 4))];
  const spans = ends.map((end, i) => [i === 0 ? 0 : ends[i - 1]!, end] as const);
  const last = spans.at(-1)!;
  const title = ([begin, end]: readonly [number, number]) =>
    end - begin === 1 ? `step ${end}` : `${begin + 1} to ${end}`;
  const head = [
    'difference from the first',
    ...spans.map(title),
    `mean loss, ${title(last)}`,
    'other route',
  ];
  const table = new Table({ head, style: { head: [], border: [], compact: true } });
  for (const run of [first, ...rest]) {
    const apart = differences(first, run);
    const means = spans.map((span) =>
      run === first ? '' : mean(apart.slice(...span)).toExponential(1),
    );
    const route = run === first ? '' : (firstOtherRoute(first, run) ?? 'none');
    table.push([run.name, ...means, mean(run.losses.slice(...last)).toFixed(4), route]);
  }
  return table.toString();
}

function mean(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0) / values.length;
}

function picture(first: Run, rest: readonly Run[]): string {
  const series = [first, ...rest].flatMap((run, i): object[] => {
    const look = { type: 'line', name: run.name, showSymbol: false, lineStyle: lineStyles[i % 6] };
    const color = lineStyles[i % 6]!.color;
    const points = (numbers: readonly number[]) => numbers.map((value, step) => [step + 1, value]);
    const loss = { ...look, color, data: points(run.losses) };
    if (run === first) return [loss];
    // A logarithm has no place for steps that agree in every bit.
    const apart = points(differences(first, run)).filter(([, value]) => value! > 0);
    return [loss, { ...look, color, xAxisIndex: 1, yAxisIndex: 1, data: apart }];
  });
  const steps = { type: 'value', min: 0, max: first.losses.length } as const;
  const options: EChartsOption = {
    animation: false,
    backgroundColor: '#ffffff',
    legend: { top: 8, data: [first, ...rest].map(({ name }) => name) },
    grid: [
      { left: 70, right: 20, top: 60, height: 230 },
      { left: 70, right: 20, top: 340, height: 230 },
    ],
    xAxis: [
      { ...steps, gridIndex: 0 },
      { ...steps, gridIndex: 1, name: 'step', nameLocation: 'middle', nameGap: 26 },
    ],
    yAxis: [
      { type: 'value', gridIndex: 0, min: 0, name: 'loss', nameLocation: 'middle', nameGap: 50 },
      {
        ...{ type: 'log', gridIndex: 1, name: `difference from ${first.name}` },
        ...{ nameLocation: 'middle', nameGap: 50 },
        axisLabel: { formatter: (value: number) => value.toExponential(0) },
      },
    ],
    series: series as NonNullable<EChartsOption['series']>,
  };
  const chart = init(null, null, { renderer: 'svg', ssr: true, width: 900, height: 620 });
  chart.setOption(options);
  const svg = chart.renderToSVGString();
  chart.dispose();
  return svg;
}
