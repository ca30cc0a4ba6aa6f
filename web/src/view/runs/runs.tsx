import { useEffect } from 'preact/hooks';
import { texts } from '../../preferences.ts';
import { chosen, followRuns, runsTrouble, summaries } from '../../runs/runs.ts';
import { showRuns } from '../../sides.ts';
import { Curves } from './curves.tsx';
import { NoRuns } from './no-runs.tsx';
import { RunList } from './run-list.tsx';
import { RunsHeader } from './runs-header.tsx';
import { RunsNotice } from './runs-notice.tsx';

/** Training runs and their curves, while they grow. */
export function Runs() {
  const text = texts().runs;
  useEffect(followRuns, []);
  useEffect(() => {
    document.title = `${text.title} · mimoflash`;
  }, [text]);
  const all = summaries.value;
  const hasRuns = all !== null && all.length > 0;
  const isMissing = all === null && runsTrouble.value?.status === 404;
  return (
    <div class="runs">
      <RunsHeader />
      <RunsNotice />
      <div class="below">
        {showRuns.value && hasRuns && <RunList runs={all} />}
        <main class="curves" aria-label={text.title}>
          {(isMissing || all?.length === 0) && <NoRuns hasServer={!isMissing} />}
          {hasRuns && chosen.value.length === 0 && <p class="quiet">{text.noneChosen}</p>}
          {chosen.value.length > 0 && <Curves />}
        </main>
      </div>
    </div>
  );
}
