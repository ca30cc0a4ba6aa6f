/**
 * Plots for reports, as SVG text. A chart library for this weighs sixty megabytes, and a report needs
 * lines and points between two axes.
 */
export interface Plot {
  title: string;
  x: Axis;
  y: Axis;
  series: readonly Series[];
}

export interface Axis {
  label: string;
  scale?: 'linear' | 'log';
  /** Of a linear axis: a value to show though nothing lies there, such as 0. */
  include?: number;
  /** Of an axis of things that are not numbers: what stands at 0, 1, 2 … */
  names?: readonly string[];
}

export interface Series {
  name: string;
  points: readonly (readonly [x: number, y: number])[];
  /** Marks for measurements, a line for what lies between them; a line by default. */
  draw?: 'line' | 'marks' | 'both';
  isDashed?: boolean;
  /** What is sure of it: an area behind a line, whiskers at marks. */
  bounds?: readonly (readonly [x: number, low: number, high: number])[];
}

const size = { width: 720, height: 420 };
const frame = { left: 74, right: 20, top: 44, bottom: 52 };
/** Told apart by people who do not see all colours (Okabe and Ito). */
const colors = [
  '#0072b2',
  '#d55e00',
  '#009e73',
  '#cc79a7',
  '#e69f00',
  '#56b4e9',
  '#222222',
  '#999933',
];
const legendRow = 18;

/** @throws Error if no series has a point that the axes can show */
export function plotSvg({ title, x, y, series }: Plot): string {
  const drawn = series.map((each) => ({
    ...each,
    points: each.points.filter(([a, b]) => isDrawable(a, x) && isDrawable(b, y)),
    bounds: (each.bounds ?? []).filter((bound) => bound.every((value) => Number.isFinite(value))),
  }));
  const all = drawn.flatMap(({ points }) => points);
  if (all.length === 0) throw new Error(`the plot "${title}" has no points`);
  const height = size.height + legendRow * Math.ceil(series.length / 2);
  const right = size.width - frame.right;
  const bottom = size.height - frame.bottom;
  const across = scaleOf(
    all.map(([value]) => value),
    x,
    frame.left,
    right,
  );
  const up = scaleOf(
    [...all.map(([, value]) => value), ...drawn.flatMap(({ bounds }) => bounds.flatMap(heights))],
    y,
    bottom,
    frame.top,
  );
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${size.width} ${height}" font-family="sans-serif" font-size="12">`,
    `<rect width="${size.width}" height="${height}" fill="#ffffff"/>`,
    label(size.width / 2, 22, title, 'font-size="15" text-anchor="middle"'),
    ...across.ticks.flatMap((tick) => {
      const at = round(across.place(tick));
      return [
        rule(at, frame.top, at, bottom),
        label(at, bottom + 16, x.names?.[tick] ?? format(tick), 'text-anchor="middle"'),
      ];
    }),
    ...up.ticks.flatMap((tick) => {
      const at = round(up.place(tick));
      return [
        rule(frame.left, at, right, at),
        label(frame.left - 8, at + 4, format(tick), 'text-anchor="end"'),
      ];
    }),
    label((frame.left + right) / 2, bottom + 38, x.label, 'text-anchor="middle"'),
    label(
      18,
      (frame.top + bottom) / 2,
      y.label,
      `text-anchor="middle" transform="rotate(-90 18 ${(frame.top + bottom) / 2})"`,
    ),
    ...drawn.flatMap((each, i) => {
      const place = (a: number, b: number): Place => [round(across.place(a)), round(up.place(b))];
      const low = each.bounds.map(([a, b]) => place(a, b));
      const high = each.bounds.map(([a, , b]) => place(a, b));
      return [
        ...drawBounds(each, { low, high }, colorOf(i)),
        ...drawSeries(
          each,
          each.points.map(([a, b]) => place(a, b)),
          colorOf(i),
        ),
      ];
    }),
    ...series.map(({ name }, i) => {
      const left = frame.left + (i % 2) * ((right - frame.left) / 2);
      const top = size.height + legendRow * Math.floor(i / 2);
      return `<rect x="${left}" y="${top}" width="12" height="4" fill="${colorOf(i)}"/>${label(left + 18, top + 6, name, '')}`;
    }),
    '</svg>',
  ];
  return `${parts.join('\n')}\n`;
}

function colorOf(series: number): string {
  return colors[series % colors.length]!;
}

function isDrawable(value: number, { scale }: Axis): boolean {
  return Number.isFinite(value) && (scale !== 'log' || value > 0);
}

function heights([, low, high]: readonly [number, number, number]): number[] {
  return [low, high];
}

type Place = [x: number, y: number];

function drawBounds(
  { draw = 'line' }: Series,
  { low, high }: { low: readonly Place[]; high: readonly Place[] },
  color: string,
): string[] {
  if (low.length === 0) return [];
  if (draw === 'marks') {
    return low.map(([x, y], i) => {
      return `<line x1="${x}" y1="${y}" x2="${x}" y2="${high[i]![1]}" stroke="${color}"/>`;
    });
  }
  const around = [...low, ...high.toReversed()].map((place) => place.join(',')).join(' ');
  return [`<polygon points="${around}" fill="${color}" fill-opacity="0.15"/>`];
}

function drawSeries({ draw = 'line', isDashed }: Series, places: Place[], color: string): string[] {
  const parts: string[] = [];
  if (draw !== 'marks') {
    const dashes = isDashed ? ' stroke-dasharray="5 4"' : '';
    const points = places.map((place) => place.join(',')).join(' ');
    parts.push(
      `<polyline points="${points}" fill="none" stroke="${color}" stroke-width="1.6"${dashes}/>`,
    );
  }
  if (draw !== 'line') {
    for (const [cx, cy] of places) {
      parts.push(`<circle cx="${cx}" cy="${cy}" r="3.2" fill="${color}"/>`);
    }
  }
  return parts;
}

interface Scale {
  ticks: number[];
  /** Where a value is drawn. */
  place(value: number): number;
}

function scaleOf(values: readonly number[], axis: Axis, from: number, to: number): Scale {
  if (axis.names) return namedScale(axis.names.length, from, to);
  const isLog = axis.scale === 'log';
  const known = axis.include === undefined || isLog ? values : [...values, axis.include];
  let low = Math.min(...known);
  let high = Math.max(...known);
  if (low === high) [low, high] = isLog ? [low / 2, high * 2] : [low - 1, high + 1];
  const ticks = isLog ? logTicks(low, high) : linearTicks(low, high);
  if (!isLog) {
    low = Math.min(low, ticks[0]!);
    high = Math.max(high, ticks.at(-1)!);
  }
  const position = (value: number) => (isLog ? Math.log(value) : value);
  const [begin, end] = [position(low), position(high)];
  return {
    ticks,
    place: (value) => from + ((position(value) - begin) / (end - begin)) * (to - from),
  };
}

/** A place for each, with room around it. */
function namedScale(count: number, from: number, to: number): Scale {
  const ticks = Array.from({ length: count }, (_, i) => i);
  return { ticks, place: (value) => from + ((value + 0.5) / count) * (to - from) };
}

/** About five round numbers that reach from `low` to `high`. */
function linearTicks(low: number, high: number): number[] {
  const rough = (high - low) / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 5, 10].find((factor) => factor * power >= rough)!;
  const first = Math.floor(low / step);
  const count = Math.ceil(high / step) - first;
  return Array.from({ length: count + 1 }, (_, i) => Number(((first + i) * step).toPrecision(12)));
}

/**
 * Powers of ten; where the range is shorter, powers of two of what is counted and 1, 2, 5 of what is
 * measured; and where it is shorter still, numbers as on a linear axis.
 */
function logTicks(low: number, high: number): number[] {
  const isWithin = (tick: number) => tick >= low * (1 - 1e-9) && tick <= high * (1 + 1e-9);
  if (high / low < 4) return linearTicks(low, high).filter(isWithin);
  const isLong = high / low > 100;
  const base = !isLong && low >= 1 ? 2 : 10;
  const factors = isLong || base === 2 ? [1] : [1, 2, 5];
  const first = Math.floor(Math.log(low) / Math.log(base) - 1e-9);
  const last = Math.floor(Math.log(high) / Math.log(base) + 1e-9);
  const powers = Array.from({ length: last - first + 1 }, (_, i) => base ** (first + i));
  return powers.flatMap((power) => factors.map((factor) => factor * power)).filter(isWithin);
}

function format(value: number): string {
  const rounded = Number(value.toPrecision(4));
  const size = Math.abs(rounded);
  if (size >= 1e5 || (size > 0 && size < 1e-3)) return rounded.toExponential().replace('e+', 'e');
  return String(rounded);
}

function rule(x1: number, y1: number, x2: number, y2: number): string {
  return `<line x1="${x1}" y1="${y1}" x2="${x2}" y2="${y2}" stroke="#dddddd"/>`;
}

function label(x: number, y: number, text: string, attributes: string): string {
  const escaped = text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
  return `<text x="${round(x)}" y="${round(y)}" ${attributes}>${escaped}</text>`;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
