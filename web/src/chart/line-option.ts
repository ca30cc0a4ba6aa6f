/** Lines as ECharts' options: the only place that knows how curves look. */
import type { EChartsCoreOption } from 'echarts/core';
import type { Point, Range } from '../runs/lines.ts';
import type { Colours } from './colours.ts';

export interface DrawnLine {
  name: string;
  colour: string;
  isDashed: boolean;
  points: readonly Point[];
  /** Before smoothing, drawn faintly. */
  raw: readonly Point[];
  marks: readonly Point[];
}

/** What an axis of values goes over. */
export interface Reach extends Range {
  /** Between two of its lines; `null` for what suits it. */
  step: number | null;
}

export interface Frame {
  x: Range;
  isLogarithmic: boolean;
  fromZero: boolean;
  /** Lowest and highest of several pictures that are to be compared; `null` for what the lines need. */
  y: Reach | null;
  /** Where something was warned of. */
  warnings: readonly number[];
  writeX: (value: number) => string;
  writeY: (value: number) => string;
}

/** Around a picture, in pixels: the same everywhere, so that places lie below one another. */
export const space = { left: 54, right: 14, top: 10, bottom: 24 };

export function lineOption(
  lines: readonly DrawnLine[],
  frame: Frame,
  colours: Colours,
): EChartsCoreOption {
  const { x, y, isLogarithmic, fromZero } = frame;
  const label = { color: colours.soft, fontSize: 11, hideOverlap: true };
  const isDrawn = ([, value]: Point) => !isLogarithmic || value > 0;
  return {
    animation: false,
    grid: { ...space, outerBoundsMode: 'none' },
    // A stretch that is drawn over is zoomed to: see `LineChart`.
    brush: {
      xAxisIndex: 0,
      brushStyle: { color: colours.accent, opacity: 0.12, borderWidth: 0 },
      outOfBrush: {},
    },
    toolbox: { show: false },
    xAxis: {
      type: 'value',
      min: x.from,
      max: x.to,
      axisLine: { lineStyle: { color: colours.line } },
      axisTick: { show: false },
      splitLine: { show: false },
      axisLabel: {
        ...label,
        formatter: (value: number) => frame.writeX(value),
        // Ends that are no round numbers would crowd those that are.
        showMinLabel: x.from === 0,
        showMaxLabel: false,
      },
      splitNumber: 4,
      axisPointer: {
        show: true,
        type: 'line',
        snap: false,
        label: { show: false },
        triggerTooltip: false,
        lineStyle: { color: colours.soft, width: 1, type: 'solid' },
      },
    },
    yAxis: {
      type: isLogarithmic ? 'log' : 'value',
      scale: !fromZero,
      ...(y !== null && { min: y.from, max: y.to }),
      ...(y !== null && y.step !== null && { interval: y.step }),
      splitNumber: 4,
      axisLine: { show: false },
      axisTick: { show: false },
      splitLine: { lineStyle: { color: colours.line, width: 1 } },
      axisLabel: { ...label, formatter: (value: number) => frame.writeY(value) },
      axisPointer: { show: false },
    },
    series: [
      ...lines.flatMap(({ name, colour, isDashed, points, raw, marks }) => [
        ...(raw.length > 0 ? [{ ...curve(raw.filter(isDrawn)), ...faint(colour) }] : []),
        {
          ...curve(points.filter(isDrawn)),
          name,
          lineStyle: { color: colour, width: 1.75, type: isDashed ? 'dashed' : 'solid' },
        },
        ...(marks.length > 0
          ? [{ ...dots(marks.filter(isDrawn)), itemStyle: ring(colour, colours) }]
          : []),
      ]),
      warningLines(frame.warnings, colours),
    ],
  };
}

const quiet = { type: 'line', silent: true, emphasis: { disabled: true } } as const;

function curve(data: readonly Point[]) {
  // One point alone is no line.
  const showSymbol = data.length === 1;
  return { ...quiet, data, showSymbol, symbol: 'circle', symbolSize: 5, sampling: 'lttb' };
}

function faint(colour: string) {
  return { z: 1, lineStyle: { color: colour, width: 1, opacity: 0.18 }, showSymbol: false };
}

function dots(data: readonly Point[]) {
  const lineStyle = { width: 0 };
  return { ...quiet, z: 3, data, lineStyle, showSymbol: true, symbol: 'circle', symbolSize: 7 };
}

function ring(colour: string, { raised }: Colours) {
  return { color: colour, borderColor: raised, borderWidth: 1.5 };
}

function warningLines(places: readonly number[], { trouble }: Colours) {
  return {
    ...quiet,
    data: [],
    markLine: {
      silent: true,
      symbol: 'none',
      label: { show: false },
      lineStyle: { color: trouble, type: 'dashed', width: 1 },
      data: places.map((xAxis) => ({ xAxis })),
    },
  };
}
