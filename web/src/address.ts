/** What the address shows: a chat, or training runs, `#/runs?run=<name>&run=<name>`. */
import { signal } from '@preact/signals';

export interface Address {
  view: 'chat' | 'runs';
  /** Runs that are chosen; `null` if the address leaves that to the page. */
  runs: readonly string[] | null;
}

export const address = signal(parseAddress(location.hash));

addEventListener('hashchange', () => {
  address.value = parseAddress(location.hash);
});

function parseAddress(hash: string): Address {
  const [path, query = ''] = hash.replace(/^#/, '').split('?');
  if (path !== '/runs') return { view: 'chat', runs: null };
  const runs = new URLSearchParams(query).getAll('run');
  // `run=` without a name says that none is.
  return { view: 'runs', runs: runs.length === 0 ? null : runs.filter((run) => run !== '') };
}

/** The address of these runs. */
function runsAddress(runs: readonly string[]): string {
  const names = runs.length === 0 ? [''] : runs;
  return `#/runs?${new URLSearchParams(names.map((run) => ['run', run]))}`;
}

/** Writes the choice into the address, which can then be kept or sent; no step of the browser's history. */
export function chooseRuns(runs: readonly string[]): void {
  history.replaceState(null, '', runsAddress(runs));
  address.value = { view: 'runs', runs };
}
