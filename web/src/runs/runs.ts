/** The runs that the server tells of, those that are chosen, and their curves while they grow. */
import { computed, effect, signal } from '@preact/signals';
import type { RunCurves } from '../../../src/watch/curves.ts';
import type { RunSummary } from '../../../src/watch/summary.ts';
import { address } from '../address.ts';
import { Failure, goodResponse, messageOf } from '../connection/failure.ts';
import { connectToServer } from '../connection/server-connection.ts';
import { isDrawing } from './choices.ts';
import { keepSlots } from './colour-slots.ts';
import { extendHistory, historyOf, lastStep, type RunHistory } from './history.ts';

/** The latest written first; `null` before the server has said. */
export const summaries = signal<readonly RunSummary[] | null>(null);
/** Why what is shown may be old. */
export const runsTrouble = signal<Failure | null>(null);
/** By run, of those that are or were chosen. */
export const histories = signal<ReadonlyMap<string, RunHistory>>(new Map());

/** More than this are not told apart by colour. */
export const mostRuns = 8;

/** What the page chose when it saw the runs first. */
const usual = signal<readonly string[]>([]);

/** In the order in which they were written, so that the stages of a pipeline follow one another. */
export const chosen = computed((): readonly RunSummary[] => {
  const names = address.value.runs ?? usual.value;
  return (summaries.value ?? [])
    .filter(({ run }) => names.includes(run))
    .toSorted((a, b) => a.writtenAt - b.writtenAt || a.run.localeCompare(b.run))
    .slice(0, mostRuns);
});

/** Another only when the choice is another, while figures in `chosen` change all the time. */
const chosenText = computed(() => chosen.value.map(({ run }) => run).join('\n'));
export const chosenNames = computed((): readonly string[] =>
  chosenText.value === '' ? [] : chosenText.value.split('\n'),
);

let slots: ReadonlyMap<string, number> = new Map();
/** A number from 0 for each that is chosen, which it keeps while others come and go. */
export const colourSlots = computed(() => {
  slots = keepSlots(slots, chosenNames.value);
  return slots;
});

const pauseMilliseconds = 2000;
/** Points of a curve that are asked for; with twice as many, they are asked for anew. */
const wantedPoints = 1000;

/** When the file of a run was last written that its history is of. */
const seen = new Map<string, number>();

/** Asks again and again while the page is seen, until the function that it gives is called. */
export function followRuns(): () => void {
  const end = new AbortController();
  let wake = () => {};
  let isOther = false;
  const stop = effect(() => {
    void chosenNames.value;
    isOther = true;
    wake();
  });
  void (async () => {
    while (!end.signal.aborted) {
      isOther = false;
      if (document.visibilityState === 'visible' && !isDrawing.peek()) await refresh(end.signal);
      if (isOther) continue;
      await new Promise<void>((resolve) => {
        wake = resolve;
        setTimeout(resolve, pauseMilliseconds);
      });
    }
  })();
  return () => {
    stop();
    end.abort();
  };
}

async function refresh(signal: AbortSignal): Promise<void> {
  try {
    const { runs } = await ask<{ runs: RunSummary[] }>('runs', signal);
    if (usual.value.length === 0) usual.value = usualChoice(runs);
    summaries.value = runs;
    await Promise.all(chosen.value.map((run) => refreshCurves(run, signal)));
    runsTrouble.value = null;
  } catch (error) {
    if (signal.aborted) return;
    runsTrouble.value = error instanceof Failure ? error : new Failure(messageOf(error));
  }
}

/** Those that run, or the latest. */
function usualChoice(runs: readonly RunSummary[]): string[] {
  const running = runs.filter(({ state }) => state === 'running');
  return (running.length > 0 ? running : runs.slice(0, 1)).slice(0, mostRuns).map(({ run }) => run);
}

/** Fetches what a run has written since, or all of it if it went on from an earlier step. */
async function refreshCurves(summary: RunSummary, signal: AbortSignal): Promise<void> {
  const { run, starts, step, writtenAt } = summary;
  const known = histories.value.get(run);
  if (known !== undefined && seen.get(run) === writtenAt) return;
  const goesOn =
    known?.starts === starts && step >= lastStep(known) && known.length < 2 * wantedPoints;
  const query = { run, after: goesOn ? lastStep(known) : 0, points: wantedPoints };
  const curves = await ask<RunCurves>(`runs/curves?${queryOf(query)}`, signal);
  // It went on from an earlier step since the server told of it; the next time it is asked for anew.
  if (goesOn && curves.starts !== starts) return;
  const history = goesOn ? extendHistory(known, curves) : historyOf(curves);
  histories.value = new Map(histories.value).set(run, history);
  seen.set(run, writtenAt);
}

async function ask<Answer>(path: string, signal: AbortSignal): Promise<Answer> {
  const response = await goodResponse(await connectToServer().fetch(path, { signal }));
  return response.json() as Promise<Answer>;
}

function queryOf(values: Record<string, string | number>): string {
  return String(
    new URLSearchParams(Object.entries(values).map(([key, value]) => [key, `${value}`])),
  );
}
