/**
 * What a panel draws. Curves of one kind of all runs lie in one picture, a colour a run. Where a run has
 * several of them, by head, layer or family, each run has a picture of its own, beside the others, and
 * colours say which curve is which.
 */
import type { Colours } from '../../chart/colours.ts';
import type { DrawnLine, Reach } from '../../chart/line-option.ts';
import { ramp } from '../../chart/ramp.ts';
import { byMember } from '../../runs/history.ts';
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
  /** Those that the lines are of. */
  runs: readonly DrawnRun[];
  lines: NamedLine[];
}

export interface Pictures {
  pictures: Picture[];
  isLogarithmic: boolean;
  /** What all of them reach over: whole decades if logarithmic; `null` for what the one needs. */
  y: Reach | null;
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
  const isSplit = panel.form !== 'one';
  const cut = (points: readonly Point[]) => within(points, choices.zoom);
  const found = runs
    .filter(({ history }) => hasValues(history, panel))
    .map((run) => ({
      run,
      lines: linesOf(run.history, panel, run.axis, choices.isSmooth).map((line) => ({
        member: line.member,
        points: cut(line.points),
        // Among many lines it would hide them.
        raw: isSplit ? [] : cut(line.raw),
        marks: inRange(line.marks, choices.zoom),
      })),
    }));
  const all = found.flatMap(({ lines }) => lines);
  const isLogarithmic = choices.isLogarithmic && panel.isLogarithmic === true && spansDecades(all);
  const isShared = isSplit && found.length > 1;
  const y = reachOf(all, isLogarithmic, panel.fromZero === true);
  const needsReach = isLogarithmic || isShared || y?.isFlat === true;
  return { pictures: isSplit ? apart() : together(), isLogarithmic, y: needsReach ? y : null };

  function together(): Picture[] {
    const lines = found.map(({ run: { name, colour }, lines: [line] }) => ({
      ...line!,
      ...{ key: name, name, colour, isDashed: false },
    }));
    return [{ run: null, runs: found.map(({ run }) => run), lines }];
  }

  function apart(): Picture[] {
    const members = [...new Set(all.map(({ member }) => member))].sort(byMember);
    const styles = stylesOf(panel, members.length, colours);
    return found.map(({ run, lines }) => ({
      run,
      runs: [run],
      lines: lines.map((line) => ({
        ...line,
        ...{ key: line.member, name: memberName(panel, line.member, text) },
        ...styles[members.indexOf(line.member)]!,
      })),
    }));
  }
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

function inRange(points: readonly Point[], range: Range | null): readonly Point[] {
  return range === null ? points : points.filter(([x]) => x >= range.from && x <= range.to);
}

/** Of values that differ by less, an axis would show how numbers are rounded. */
const smallestPart = 1e-6;

/** What lines reach over, in whole decades or in whole steps of about a quarter of it. */
function reachOf(
  lines: readonly Pick<Line, 'points' | 'marks'>[],
  isLogarithmic: boolean,
  fromZero: boolean,
): (Reach & { isFlat: boolean }) | null {
  const values = lines
    .flatMap(({ points, marks }) => [...points, ...marks].map(([, y]) => y))
    .filter((y) => !isLogarithmic || y > 0);
  if (values.length === 0) return null;
  const least = values.reduce((a, b) => Math.min(a, b));
  const most = values.reduce((a, b) => Math.max(a, b));
  const isFlat = most - least <= smallestPart * Math.max(Math.abs(least), Math.abs(most));
  if (isLogarithmic) {
    const [from, to] = [Math.floor(Math.log10(least)), Math.ceil(Math.log10(most))];
    return { from: 10 ** from, to: 10 ** Math.max(to, from + 1), step: null, isFlat };
  }
  const begin = fromZero || isFlat ? Math.min(0, least) : least;
  const end = isFlat ? Math.max(0, most) : most;
  if (begin === end) return { from: 0, to: 1, step: 0.25, isFlat };
  const step = roundStep((end - begin) / 4);
  return { from: Math.floor(begin / step) * step, to: Math.ceil(end / step) * step, step, isFlat };
}

/** The next of 1, 2, 5, 10, … */
function roundStep(step: number): number {
  const decade = 10 ** Math.floor(Math.log10(step));
  return decade * [1, 2, 5, 10].find((factor) => factor * decade >= step * (1 - 1e-9))!;
}
