import { useMemo } from 'preact/hooks';
import type { Frame, Reach } from '../../chart/line-option.ts';
import { texts } from '../../preferences.ts';
import { placeOfStep, type Range, valueAt } from '../../runs/lines.ts';
import type { Panel } from '../../runs/panels.ts';
import { formatCompact } from '../numbers.ts';
import { CurveLegend } from './curve-legend.tsx';
import type { DrawnRun } from './drawn-run.ts';
import { LineChart } from './line-chart.tsx';
import type { NamedLine } from './pictures.ts';

interface CurvePictureProperties {
  title: string;
  panel: Panel;
  lines: readonly NamedLine[];
  /** The runs that the lines are of. */
  runs: readonly DrawnRun[];
  x: Range;
  y: Reach | null;
  isLogarithmic: boolean;
  /** Keys of lines that are not drawn. */
  hidden: ReadonlySet<string>;
  /** Draws a line or not; `null` where that is chosen elsewhere. */
  toggle: ((key: string) => void) | null;
  write: (value: number) => string;
}

export function CurvePicture(properties: CurvePictureProperties) {
  const { title, panel, lines, runs, x, y, isLogarithmic, hidden, toggle, write } = properties;
  const text = texts().runs;
  const fromZero = panel.fromZero === true;
  const drawn = useMemo(() => lines.filter(({ key }) => !hidden.has(key)), [lines, hidden]);
  const frame = useMemo((): Frame => {
    const warnings = runs.flatMap(({ history, axis }) =>
      history.warnings.map(({ step }) => placeOfStep(history, axis, step)),
    );
    return { x, y, isLogarithmic, fromZero, warnings, writeX: formatCompact, writeY: write };
  }, [x, y, isLogarithmic, fromZero, runs, write, text]);
  const values = lines.map(({ name, points }) => {
    const last = valueAt(points, null);
    return `${name}: ${last === null ? text.noValue : write(last)}`;
  });
  return (
    <>
      <LineChart lines={drawn} frame={frame} label={`${title}. ${values.join('; ')}`} />
      <CurveLegend lines={lines} hidden={hidden} toggle={toggle} write={write} />
    </>
  );
}
