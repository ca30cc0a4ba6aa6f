import type { RunSummary } from '../../../../src/watch/summary.ts';
import { colours } from '../../chart/colours.ts';
import { texts } from '../../preferences.ts';
import { colourSlots } from '../../runs/runs.ts';
import { Icon } from '../icon.tsx';
import { formatCompact, formatDuration, formatNumber, formatSignificant } from '../numbers.ts';

interface RunEntryProperties {
  run: RunSummary;
  isChosen: boolean;
  /** Whether no more can be chosen. */
  isFull: boolean;
  toggle: () => void;
}

export function RunEntry({ run, isChosen, isFull, toggle }: RunEntryProperties) {
  const text = texts().runs;
  const slot = colourSlots.value.get(run.run);
  const colour = slot === undefined ? undefined : colours.value.series[slot]!;
  const { state, step, steps, warning, remainingSeconds } = run;
  const at =
    steps === null
      ? text.step(formatNumber(step))
      : text.stepOf(formatNumber(step), formatNumber(steps));
  return (
    <li data-state={state} style={colour === undefined ? {} : { '--run': colour }}>
      <label>
        <input
          type="checkbox"
          checked={isChosen}
          disabled={isFull && !isChosen}
          onChange={toggle}
        />
        <span class="name">{nameOf(run.run)}</span>
        {warning !== null && (
          <span class="warned" title={warning.text}>
            <Icon name="warning" />
            <span class="hidden">{text.hasWarning}</span>
          </span>
        )}
        <span class="state">{text.states[state]}</span>
      </label>
      {steps !== null && (
        <progress value={step} max={steps} aria-label={`${nameOf(run.run)}: ${text.progress}`} />
      )}
      <p class="how">
        <span>{at}</span>
        <span>{text.speed(formatCompact(run.tokensPerSecond))}</span>
        {remainingSeconds !== null && <span>{text.left(formatDuration(remainingSeconds))}</span>}
      </p>
      <p class="how">
        {run.reward === null ? (
          <Figure name={text.loss} value={run.loss} />
        ) : (
          <Figure name={text.reward} value={run.reward} />
        )}
        {run.heldOutLoss !== null && <Figure name={text.heldOut} value={run.heldOutLoss} />}
      </p>
    </li>
  );
}

/** A run that is the folder itself has no name of its own. */
export function nameOf(run: string): string {
  return run === '.' ? './' : run;
}

function Figure({ name, value }: { name: string; value: number }) {
  return (
    <span>
      {name} <b>{formatSignificant(value)}</b>
    </span>
  );
}
