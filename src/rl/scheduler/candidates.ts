/** Which prompt comes next: by the sources' quotas, then by what is known of its pass rate. */
import { UserError } from '../../errors.ts';
import { Random } from '../../random.ts';
import {
  type Acceptance,
  acceptanceProbability,
  cellChance,
  keepProbability,
  promptChance,
} from './pass-rates.ts';
import type { StateSummary } from './state.ts';
import type { Prompt, ScheduledSource, SchedulerOptions } from './types.ts';

/** The source that is furthest behind its quota; of several the one of highest priority. */
export function chooseSource(
  sources: readonly ScheduledSource[],
  states: StateSummary['sources'],
): ScheduledSource {
  const quotas = sources.reduce((sum, { quota }) => sum + quota, 0);
  const charged = sources.reduce((sum, { name }) => sum + states[name]!.charged, 0);
  const behind = ({ name, quota }: ScheduledSource) =>
    (quota / quotas) * (charged + 1) - states[name]!.charged;
  return sources.reduce((best, source) => {
    const difference = behind(source) - behind(best);
    const isTie = Math.abs(difference) < 1e-9;
    return (isTie ? source.priority > best.priority : difference > 0) ? source : best;
  });
}

/** Candidates that are passed over in a row, at most. */
const MOST_SKIPPED = 50;

/** The first candidate of a source, from its place on, that is not passed over. */
export async function nextCandidate(
  source: ScheduledSource,
  { seed, sources, histories }: StateSummary,
  options: SchedulerOptions,
): Promise<{ index: number; skipped: number; prompt: Prompt }> {
  const { next: first, groups } = sources[source.name]!;
  const acceptance = acceptanceOf(source, options);
  const cellOf = (cell: string) => ({ attempts: histories[CELL + cell], groups: groups[cell] });
  const chances = Object.keys(groups).map((cell) => cellChance(cellOf(cell), acceptance));
  // Of what is not known yet, there may be as much as anywhere.
  const best = chances.length > 0 ? Math.max(...chances) : acceptanceProbability(1, 1, acceptance);
  for (let index = first; ; index++) {
    const prompt = await source.prompts.prompt(index);
    const cell = cellOf(prompt.cell);
    const own = prompt.key === null ? undefined : histories[promptKey(source, prompt.key)];
    const chance = own ? promptChance(cell, own, acceptance) : cellChance(cell, acceptance);
    const keep = keepProbability(chance, best);
    const draw = new Random(`${seed} ${source.name} ${index}`, 'candidates').uniform();
    if (draw < keep || index - first >= MOST_SKIPPED) {
      return { index, skipped: index - first, prompt };
    }
  }
}

function acceptanceOf(
  { passRate }: ScheduledSource,
  { groupSize, requireSignal }: SchedulerOptions,
): Acceptance {
  return { groupSize, requireSignal, passRate };
}

/** @throws UserError if there are none, or one that could never give anything */
export function checkSources(sources: readonly ScheduledSource[], options: SchedulerOptions): void {
  if (sources.length === 0) throw new UserError('there are no sources of prompts; give one');
  const names = new Set<string>();
  for (const source of sources) {
    const { name, passRate } = source;
    if (names.has(name)) throw new UserError(`two sources are named ${name}; rename one`);
    names.add(name);
    if (acceptanceProbability(1, 1, acceptanceOf(source, options)) > 0) continue;
    throw new UserError(
      `source ${name}: no group of ${options.groupSize} can have a passRate from ${passRate.join(' to ')}` +
        `${options.requireSignal ? ' and a signal' : ''}; make the groups larger or passRate wider`,
    );
  }
}

/** What a pass is counted under: the cell and, if the prompt comes again, the prompt. */
export function historyKeys(source: ScheduledSource, { cell, key }: Prompt): string[] {
  return key === null ? [CELL + cell] : [CELL + cell, promptKey(source, key)];
}

function promptKey({ name }: ScheduledSource, key: string): string {
  return `prompt ${name} ${key}`;
}

export const CELL = 'cell ';
