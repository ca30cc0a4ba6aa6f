import { useSignal } from '@preact/signals';
import { useMemo } from 'preact/hooks';
import { colours } from '../../chart/colours.ts';
import { texts } from '../../preferences.ts';
import { choices, zoom } from '../../runs/choices.ts';
import type { Panel, PanelName } from '../../runs/panels.ts';
import { formatCompact, formatShare, formatSignificant } from '../numbers.ts';
import { CurvePicture } from './curve-picture.tsx';
import { CurveTable } from './curve-table.tsx';
import type { DrawnRun } from './drawn-run.ts';
import { picturesOf } from './pictures.ts';

interface LinePanelProperties {
  panel: Panel;
  runs: readonly DrawnRun[];
  /** Where the axis ends. */
  end: number;
}

const writers = { share: formatShare, count: formatCompact, number: formatSignificant } as const;

/** Curves of one kind, with their names and values below, or as a table. */
export function LinePanel({ panel, runs, end }: LinePanelProperties) {
  const text = texts().runs;
  const palette = colours.value;
  const { isSmooth, isLogarithmic, asTables } = choices.value;
  const shown = zoom.value;
  /** Heads, layers, families, … that are not drawn. */
  const hidden = useSignal<ReadonlySet<string>>(new Set());
  const drawn = useMemo(
    () => picturesOf(panel, runs, { isSmooth, isLogarithmic, zoom: shown }, palette, text),
    [panel, runs, isSmooth, isLogarithmic, shown, palette, text],
  );
  // A run that has a picture of its own has all of its width.
  const ranges = useMemo(() => {
    const rangeOf = ({ axis, length }: DrawnRun) => ({
      from: axis.offset,
      to: axis.offset + length,
    });
    return drawn.pictures.map(({ run }) => shown ?? (run ? rangeOf(run) : { from: 0, to: end }));
  }, [drawn, shown, end]);
  const { pictures } = drawn;
  const [title, about] = text.panels[panel.name as PanelName];
  const write = writers[panel.unit ?? 'number'];
  const toggle = (key: string) => {
    const next = new Set(hidden.value);
    if (!next.delete(key)) next.add(key);
    hidden.value = next;
  };
  return (
    <article class="panel" data-wide={pictures.length > 1}>
      <h3>
        {title} <small>{about}</small>
      </h3>
      <div class="pictures">
        {pictures.map(({ run, runs, lines }, i) => (
          <div key={run?.name ?? ''} class="picture">
            {run !== null && pictures.length > 1 && (
              <h4 style={{ '--run': run.colour }}>{run.name}</h4>
            )}
            {asTables ? (
              <CurveTable title={titleOf(run)} lines={lines} x={ranges[i]!} write={write} />
            ) : (
              <CurvePicture
                title={titleOf(run)}
                panel={panel}
                lines={lines}
                runs={runs}
                x={ranges[i]!}
                y={drawn.y}
                isLogarithmic={drawn.isLogarithmic}
                hidden={hidden.value}
                toggle={panel.form === 'one' ? null : toggle}
                write={write}
              />
            )}
          </div>
        ))}
      </div>
    </article>
  );

  function titleOf(run: DrawnRun | null): string {
    const parts = [title, about, run?.name ?? ''];
    return parts.filter((part) => part !== '').join(', ');
  }
}
