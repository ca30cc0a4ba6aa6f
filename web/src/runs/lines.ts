/** From a run's columns to what is drawn: places along the axis, smoothing, the part that is zoomed to. */
import { meanOf } from '../../../src/series.ts';
import { type Column, membersOf, type RunHistory } from './history.ts';
import type { Panel } from './panels.ts';

export type Point = readonly [x: number, y: number];

export interface Line {
  /** The head, layer, family, …; `''` where there is one. */
  member: string;
  /** The marks where there is nothing else. */
  points: readonly Point[];
  /** Before smoothing; empty if it is the same. */
  raw: readonly Point[];
  /** Of unseen data. */
  marks: readonly Point[];
}

export interface Axis {
  unit: 'steps' | 'tokens';
  /** Where the run begins: 0, or the end of the one before. */
  offset: number;
}

export interface Range {
  from: number;
  to: number;
}

/** The lines of a run in a panel. */
export function linesOf(
  history: RunHistory,
  panel: Panel,
  axis: Axis,
  wantsSmooth: boolean,
): Line[] {
  const isSmooth = wantsSmooth && panel.isExact !== true;
  const places = placesOf(history, axis);
  const marks = Map.groupBy(panel.marks?.(history) ?? [], ({ member }) => member);
  const members = panel.form === 'one' ? [''] : membersOf(history, panel.name);
  // What is only known of unseen data has no column.
  const all = members.length > 0 ? members : [...marks.keys()].sort();
  return all.map((member) => {
    const name = member === '' ? panel.name : `${panel.name}/${member}`;
    const column = history.columns.get(name);
    const seldom = (marks.get(member) ?? []).map(
      ({ step, value }) => [placeOfStep(history, axis, step), value] as const,
    );
    if (column === undefined) return { member, points: seldom, raw: [], marks: seldom };
    const raw = pointsOf(places, column);
    return isSmooth
      ? { member, points: smooth(raw), raw, marks: seldom }
      : { member, points: raw, raw: [], marks: seldom };
  });
}

/** Where a step lies on the axis. */
export function placeOfStep(history: RunHistory, axis: Axis, step: number): number {
  if (axis.unit === 'steps') return axis.offset + step;
  const steps = numbers(history.columns.get('step'));
  const found = indexBefore(steps.length, (i) => steps[i]!, step);
  return axis.offset + (found < 0 ? 0 : numbers(history.columns.get('totalTokens'))[found]!);
}

/** How far a run goes along the axis. */
export function lengthOf(history: RunHistory, unit: Axis['unit']): number {
  return history.columns.get(columnOf[unit])?.at(-1) ?? 0;
}

/** The points of a range and their neighbours, so that lines go on to the edges. */
export function within(points: readonly Point[], range: Range | null): readonly Point[] {
  if (range === null) return points;
  const placeOf = (i: number) => points[i]![0];
  const begin = Math.max(0, indexBefore(points.length, placeOf, range.from));
  return points.slice(begin, indexBefore(points.length, placeOf, range.to) + 2);
}

/** The last value at or before a place; without a place, the last of all. */
export function valueAt(points: readonly Point[], place: number | null): number | null {
  if (place === null) return points.at(-1)?.[1] ?? null;
  const found = points[indexBefore(points.length, (i) => points[i]![0], place)];
  if (found === undefined) return null;
  // Beyond its end a curve has no value, but for the width of a step.
  const isBeyond = found === points.at(-1) && place > found[0] * (1 + 1e-3) + 1;
  return isBeyond ? null : found[1];
}

/** Whether values are positive and go over more than a decade. */
export function spansDecades(lines: readonly Pick<Line, 'points' | 'marks'>[]): boolean {
  let [least, most] = [Number.POSITIVE_INFINITY, 0];
  for (const { points, marks } of lines) {
    for (const [, y] of [...points, ...marks]) {
      if (y > 0) [least, most] = [Math.min(least, y), Math.max(most, y)];
    }
  }
  return most > 10 * least;
}

const columnOf = { steps: 'step', tokens: 'totalTokens' } as const;

function placesOf({ columns }: RunHistory, { unit, offset }: Axis): number[] {
  return numbers(columns.get(columnOf[unit])).map((place) => offset + place);
}

function numbers(column: Column = []): number[] {
  return column as number[];
}

function pointsOf(places: readonly number[], column: Column): Point[] {
  return column.flatMap((value, i) => (value === null ? [] : [[places[i]!, value] as const]));
}

/** Of its length, how far a mean reaches to either side. */
const reach = 0.01;

/** Each point as the mean of those around it; at its beginning, where curves fall, only of the nearest. */
function smooth(points: readonly Point[]): Point[] {
  const most = Math.round(points.length * reach);
  return points.map(([x], i) => {
    const before = Math.min(most, i);
    return [x, meanOf(points.slice(i - before, i + before + 1).map(([, y]) => y))];
  });
}

/** The last of `count` indices whose value is not above `limit`, of values that rise; −1 if there is none. */
function indexBefore(count: number, numberAt: (index: number) => number, limit: number): number {
  let [low, high] = [0, count];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (numberAt(middle) <= limit) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}
