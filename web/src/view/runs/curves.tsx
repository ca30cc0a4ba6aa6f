import { useComputed } from '@preact/signals';
import { colours } from '../../chart/colours.ts';
import { texts } from '../../preferences.ts';
import { choices } from '../../runs/choices.ts';
import { lengthOf } from '../../runs/lines.ts';
import { panelsFor, type Theme, themes } from '../../runs/panels.ts';
import { chosenNames, colourSlots, histories } from '../../runs/runs.ts';
import { shortNames } from '../../runs/short-names.ts';
import { Alerts } from './alerts.tsx';
import { CurveTools } from './curve-tools.tsx';
import type { DrawnRun } from './drawn-run.ts';
import { ExpertPanel } from './expert-panel.tsx';
import { LinePanel } from './line-panel.tsx';

/** The curves of the runs that are chosen, by theme. */
export function Curves() {
  const text = texts().runs;
  const runs = useComputed(drawnRuns).value;
  const end = Math.max(1, ...runs.map(({ axis, length }) => axis.offset + length));
  return (
    <>
      <Alerts />
      <CurveTools end={end} isMany={runs.length > 1} />
      {(Object.keys(themes) as Theme[]).map((theme) => {
        const panels = panelsFor(
          theme,
          runs.map(({ history }) => history),
        );
        if (panels.length === 0) return null;
        return (
          <div key={theme} class="theme">
            <h2>{text.themes[theme]}</h2>
            <div class="panels">
              {panels.map((panel) => (
                <LinePanel key={panel.name} panel={panel} runs={runs} end={end} />
              ))}
              {theme === 'experts' && <ExpertPanel runs={runs} />}
            </div>
          </div>
        );
      })}
    </>
  );
}

/** Those whose figures have come, each with its colour and its place along the axis. */
function drawnRuns(): DrawnRun[] {
  const { axis: unit, isEndToEnd } = choices.value;
  const names = shortNames(chosenNames.value);
  const drawn: DrawnRun[] = [];
  let offset = 0;
  for (const run of chosenNames.value) {
    const history = histories.value.get(run);
    if (history === undefined) continue;
    const length = lengthOf(history, unit);
    drawn.push({
      name: names.get(run)!,
      history,
      colour: colours.value.series[colourSlots.value.get(run)!]!,
      axis: { unit, offset },
      length,
    });
    if (isEndToEnd) offset += length;
  }
  return drawn;
}
