import { useSignal } from '@preact/signals';
import type { RunSummary } from '../../../../src/watch/summary.ts';
import { chooseRuns } from '../../address.ts';
import { texts } from '../../preferences.ts';
import { chosen, mostRuns } from '../../runs/runs.ts';
import { RunEntry } from './run-entry.tsx';

/** With more runs than this, one can be looked for. */
const easilySeen = 8;

/** All runs and how they stand; those with a tick are drawn. */
export function RunList({ runs }: { runs: readonly RunSummary[] }) {
  const text = texts().runs;
  const wanted = useSignal('');
  const names = chosen.value.map(({ run }) => run);
  const isFull = names.length >= mostRuns;
  const found = runs.filter(({ run }) => run.toLowerCase().includes(wanted.value.toLowerCase()));
  const toggle = (run: string) =>
    chooseRuns(names.includes(run) ? names.filter((name) => name !== run) : [...names, run]);
  return (
    <nav class="run-list" aria-label={text.list}>
      {runs.length > easilySeen && (
        <input
          type="search"
          aria-label={text.find}
          placeholder={text.find}
          value={wanted.value}
          onInput={({ currentTarget }) => {
            wanted.value = currentTarget.value;
          }}
        />
      )}
      <ul>
        {found.map((run) => (
          <RunEntry
            key={run.run}
            run={run}
            isChosen={names.includes(run.run)}
            isFull={isFull}
            toggle={() => toggle(run.run)}
          />
        ))}
      </ul>
      {isFull && <p class="quiet">{text.tooMany(mostRuns)}</p>}
    </nav>
  );
}
