import { texts } from '../../preferences.ts';
import { pointed } from '../../runs/choices.ts';
import { valueAt } from '../../runs/lines.ts';
import type { NamedLine } from './pictures.ts';

interface CurveLegendProperties {
  lines: readonly NamedLine[];
  hidden: ReadonlySet<string>;
  toggle: ((key: string) => void) | null;
  write: (value: number) => string;
}

/** Names of the lines, with their values where the pointer is in any picture, or else at their end. */
export function CurveLegend({ lines, hidden, toggle, write }: CurveLegendProperties) {
  return (
    <ul class="legend" data-of={toggle === null ? 'runs' : 'parts'}>
      {lines.map((line) => {
        const entry = <Entry line={line} write={write} />;
        return (
          <li key={line.key}>
            {toggle === null ? (
              entry
            ) : (
              <button
                type="button"
                aria-pressed={!hidden.has(line.key)}
                onClick={() => toggle(line.key)}
              >
                {entry}
              </button>
            )}
          </li>
        );
      })}
    </ul>
  );
}

function Entry({ line, write }: { line: NamedLine; write: (value: number) => string }) {
  const { name, colour, isDashed, points } = line;
  const value = valueAt(points, pointed.value);
  return (
    <span class="entry">
      <span class="swatch" data-dashed={isDashed} style={{ color: colour }} />
      <span class="name">{name}</span>
      <span class="value">
        {value === null ? (
          <>
            <span aria-hidden="true">–</span>
            <span class="hidden">{texts().runs.noValue}</span>
          </>
        ) : (
          write(value)
        )}
      </span>
    </span>
  );
}
