/**
 * A run's figures by step as columns with names: `loss`, and `lossByLabel/code` where there is one for
 * each of several. Names make what comes later easy to add, and a column that begins later, or is not
 * written any more, is filled up with nulls.
 */
import type { RunCurves } from '../../../src/watch/curves.ts';

export type Column = readonly (number | null)[];

export interface RunHistory extends Omit<RunCurves, 'steps'> {
  columns: ReadonlyMap<string, Column>;
  /** Of every column. */
  length: number;
}

export function historyOf({ steps, ...rest }: RunCurves): RunHistory {
  return { ...rest, columns: namedColumns(steps), length: steps.step.length };
}

/** A history with what has come since. */
export function extendHistory(history: RunHistory, curves: RunCurves): RunHistory {
  const more = historyOf(curves);
  const columns = new Map<string, Column>();
  for (const name of [...history.columns.keys(), ...more.columns.keys()]) {
    if (columns.has(name)) continue;
    columns.set(name, [
      ...(history.columns.get(name) ?? nulls(history.length)),
      ...(more.columns.get(name) ?? nulls(more.length)),
    ]);
  }
  return {
    ...more,
    columns,
    length: history.length + more.length,
    evaluations: byStep(history.evaluations, more.evaluations),
    accuracies: byStep(history.accuracies, more.accuracies),
    warnings: byStep(history.warnings, more.warnings),
  };
}

/** The last step, 0 for a history without any. */
export function lastStep({ columns }: RunHistory): number {
  return columns.get('step')?.at(-1) ?? 0;
}

/** Names of the columns `name/…`, in their order. */
export function membersOf({ columns }: RunHistory, name: string): string[] {
  const prefix = `${name}/`;
  return [...columns.keys()]
    .filter((key) => key.startsWith(prefix))
    .map((key) => key.slice(prefix.length))
    .sort(byMember);
}

/** The order of heads, layers, families, …: 2 before 10. */
export function byMember(a: string, b: string): number {
  return a.localeCompare(b, 'en', { numeric: true });
}

function namedColumns(steps: RunCurves['steps']): Map<string, Column> {
  const columns = new Map<string, Column>();
  const add = (name: string, column: Column) => {
    if (column.some((value) => value !== null)) columns.set(name, column);
  };
  const all: Record<string, Column | readonly Column[] | Readonly<Record<string, Column>>> = {
    ...steps,
  };
  for (const [name, value] of Object.entries(all)) {
    if (isColumn(value)) add(name, value);
    else for (const [member, column] of Object.entries(value)) add(`${name}/${member}`, column);
  }
  return columns;
}

/** By heads or layers there is a list of columns; by names, an object of them. */
function isColumn(
  value: Column | readonly Column[] | Readonly<Record<string, Column>>,
): value is Column {
  return Array.isArray(value) && !Array.isArray(value[0]);
}

function nulls(count: number): Column {
  return new Array<null>(count).fill(null);
}

/** What is said of a step anew takes the place of what was said. */
function byStep<Entry extends { step: number }>(old: Entry[], more: Entry[]): Entry[] {
  const from = more[0]?.step ?? Number.POSITIVE_INFINITY;
  return [...old.filter(({ step }) => step < from), ...more];
}
