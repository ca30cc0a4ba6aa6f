import { texts } from '../../preferences.ts';
import { choices } from '../../runs/choices.ts';
import { formatCompact, formatNumber } from '../numbers.ts';
import type { DrawnRun } from './drawn-run.ts';
import { ExpertMap } from './expert-map.tsx';
import { NumberTable } from './number-table.tsx';

/** Zeros of each expert's gradient lately, of the runs that wrote them. */
export function ExpertPanel({ runs }: { runs: readonly DrawnRun[] }) {
  const text = texts().runs;
  const own = runs.filter(({ history }) => history.zerosByExpert.length > 0);
  if (own.length === 0) return null;
  const [title, about] = text.panels.zerosByExpert;
  const highest = Math.max(...own.flatMap(({ history }) => history.zerosByExpert.flat()));
  return (
    <article class="panel" data-wide={own.length > 1}>
      <h3>
        {title} <small>{about}</small>
      </h3>
      <div class="pictures">
        {own.map(({ name, colour, history: { zerosByExpert } }) => (
          <div key={name} class="picture">
            {own.length > 1 && <h4 style={{ '--run': colour }}>{name}</h4>}
            {choices.value.asTables ? (
              <NumberTable
                caption={`${title}, ${name}`}
                corner={text.layers}
                columns={zerosByExpert[0]!.map((_, expert) => text.expert(expert))}
                rows={zerosByExpert.map((values, layer) => ({ name: String(layer), values }))}
                write={formatNumber}
              />
            ) : (
              <>
                <ExpertMap
                  values={zerosByExpert}
                  highest={highest}
                  label={`${title}, ${name}`}
                  layerName={text.layers}
                  expertName={text.experts}
                />
                <p class="scale">
                  <span>0</span>
                  <span class="bar" />
                  <span>{formatCompact(highest)}</span>
                </p>
              </>
            )}
          </div>
        ))}
      </div>
    </article>
  );
}
