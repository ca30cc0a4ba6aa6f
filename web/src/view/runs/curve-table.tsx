import { texts } from '../../preferences.ts';
import { choices } from '../../runs/choices.ts';
import { type Range, valueAt } from '../../runs/lines.ts';
import { formatNumber } from '../numbers.ts';
import { NumberTable } from './number-table.tsx';
import type { NamedLine } from './pictures.ts';

interface CurveTableProperties {
  title: string;
  lines: readonly NamedLine[];
  x: Range;
  write: (value: number) => string;
}

const rowCount = 20;

/** Curves in numbers: a row for each of so many places, and one for each time that unseen data was looked at. */
export function CurveTable({ title, lines, x, write }: CurveTableProperties) {
  const text = texts().runs;
  const corner = text[choices.value.axis];
  const curves = lines.filter(({ points }) => points.length > 0);
  const marked = lines.filter(({ marks }) => marks.length > 0);
  const places = Array.from({ length: rowCount + 1 }, (_, i) =>
    Math.round(x.from + (i / rowCount) * (x.to - x.from)),
  );
  const looks = [...new Set(marked.flatMap(({ marks }) => marks.map(([place]) => place)))];
  const tables = [
    {
      caption: title,
      columns: curves.map(({ name }) => name),
      rows: rowsOf(places, (place) => curves.map(({ points }) => valueAt(points, place))),
    },
    {
      caption: text.unseen(title),
      columns: marked.map(({ name }) => name),
      rows: rowsOf(
        looks.sort((a, b) => a - b),
        (place) => marked.map(({ marks }) => marks.find(([at]) => at === place)?.[1] ?? null),
      ),
    },
  ];
  return (
    <>
      {tables
        .filter(({ rows }) => rows.length > 0)
        .map((table) => (
          <NumberTable key={table.caption} {...table} corner={corner} write={write} />
        ))}
    </>
  );
}

function rowsOf(places: readonly number[], valuesAt: (place: number) => (number | null)[]) {
  return [...new Set(places)]
    .map((place) => ({ name: formatNumber(place), values: valuesAt(place) }))
    .filter(({ values }) => values.some((value) => value !== null));
}
