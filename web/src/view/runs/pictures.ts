/**
 * What a panel draws. Curves of one kind of all runs lie in one picture, a colour a run. Where a run has
 * several of them, by head, layer or family, each run has a picture of its own, beside the others, and
 * colours say which curve is which.
 */
import { type Colours, ramp } from '../../chart/colours.ts';
import type { DrawnLine } from '../../chart/line-option.ts';
import {
  type Line,
  linesOf,
  type Point,
  type Range,
  spansDecades,
  within,
} from '../../runs/lines.ts';
import { hasValues, type Panel } from '../../runs/panels.ts';
import type { RunsStrings } from '../../strings-of-runs.ts';
import type { DrawnRun } from './drawn-run.ts';

export interface NamedLine extends DrawnLine {
  /** The run, or the head, layer, family, … */
  key: string;
}

export interface Picture {
  /** The run that it is of alone; `null` where it is of all. */
  run: DrawnRun | null;
  lines: NamedLine[];
}

export interface Pictures {
  pictures: Picture[];
  isLogarithmic: boolean;
  /** What all of them reach over: whole decades if logarithmic; `null` for what the one needs. */
  y: Range | null;
}

export interface DrawingChoices {
  isSmooth: boolean;
  isLogarithmic: boolean;
  zoom: Range | null;
}

export function picturesOf(
  panel: Panel,
  runs: readonly DrawnRun[],
  choices: DrawingChoices,
  colours: Colours,
  text: RunsStrings,
): Pictures {
  const found = runs
    .filter(({ history }) => hasValues(history, panel))
    .map((run) => ({ run, lines: linesOf(run.history, panel, run.axis, choices.isSmooth) }));
  const all = found.flatMap(({ lines }) => lines);
  const isLogarithmic = choices.isLogarithmic && panel.isLogarithmic === true && spansDecades(all);
  const cut = (points: readonly Point[]) => within(points, choices.zoom);
  const draw = (line: Line, isSplit: boolean) => ({
    points: cut(line.points),
    raw: isSplit ? [] : cut(line.raw),
    marks: inRange(line.marks, choices.zoom),
  });
  if (panel.form === 'one') {
    const lines = found.map(({ run, lines: [line] }) => ({
      ...draw(line!, false),
      ...{ key: run.name, name: run.name, colour: run.colour, isDashed: false },
    }));
    const y = isLogarithmic ? reachOf(lines, true, false) : null;
    return { pictures: [{ run: null, lines }], isLogarithmic, y };
  }
  const members = [...new Set(all.map(({ member }) => member))].sort(inOrder);
  const styles = stylesOf(panel, members.length, colours);
  const pictures = found.map(({ run, lines }) => ({
    run,
    lines: lines.map((line) => ({
      ...draw(line, true),
      ...{ key: line.member, name: memberName(panel, line.member, text) },
      ...styles[members.indexOf(line.member)]!,
    })),
  }));
  const drawn = pictures.flatMap(({ lines }) => lines);
  const isShared = pictures.length > 1 || isLogarithmic;
  const y = isShared ? reachOf(drawn, isLogarithmic, panel.fromZero === true) : null;
  return { pictures, isLogarithmic, y };
}

function memberName({ form }: Panel, member: string, text: RunsStrings): string {
  if (form === 'heads') return text.head(Number(member) + 1);
  if (form === 'layers') return text.layer(Number(member));
  return text.members[member] ?? member;
}

/** Layers have an order, and so have their colours. */
function stylesOf({ form }: Panel, count: number, { series }: Colours) {
  if (form === 'layers') {
    return ramp(series[2]!, series[1]!, count).map((colour) => ({ colour, isDashed: false }));
  }
  return Array.from({ length: count }, (_, i) => ({
    colour: series[i % series.length]!,
    isDashed: i >= series.length,
  }));
}

function inOrder(a: string, b: string): number {
  return a.localeCompare(b, 'en', { numeric: true });
}

function inRange(points: readonly Point[], range: Range | null): readonly Point[] {
  return range === null ? points : points.filter(([x]) => x >= range.from && x <= range.to);
}

function reachOf(
  lines: readonly DrawnLine[],
  isLogarithmic: boolean,
  fromZero: boolean,
): Range | null {
  const values = lines
    .flatMap(({ points, marks }) => [...points, ...marks].map(([, y]) => y))
    .filter((y) => !isLogarithmic || y > 0);
  if (values.length === 0) return null;
  const least = values.reduce((a, b) => Math.min(a, b));
  const most = values.reduce((a, b) => Math.max(a, b));
  if (isLogarithmic) {
    return { from: 10 ** Math.floor(Math.log10(least)), to: 10 ** Math.ceil(Math.log10(most)) };
  }
  const margin = 0.05 * (most - least || Math.abs(most) || 1);
  return { from: fromZero ? Math.min(0, least) : least - margin, to: most + margin };
}
