import { texts } from '../../preferences.ts';
import { type CurveChoices, choices, choose, pointed, zoom } from '../../runs/choices.ts';
import type { Range } from '../../runs/lines.ts';
import { formatNumber } from '../numbers.ts';

interface CurveToolsProperties {
  /** Where the axis ends. */
  end: number;
  /** Whether there is more than one run. */
  isMany: boolean;
}

/** How the curves are drawn: for all of them at once. */
export function CurveTools({ end, isMany }: CurveToolsProperties) {
  const text = texts().runs;
  return (
    <form class="curve-tools" aria-label={text.view} onSubmit={(event) => event.preventDefault()}>
      <fieldset class="switch">
        <legend class="hidden">{text.axis}</legend>
        {(['steps', 'tokens'] as const).map((axis) => (
          <label key={axis}>
            <input
              type="radio"
              name="axis"
              checked={choices.value.axis === axis}
              onChange={() => choose({ axis })}
            />
            <span>{text[axis]}</span>
          </label>
        ))}
      </fieldset>
      <Switch name="isSmooth" />
      <Switch name="isLogarithmic" />
      {isMany && <Switch name="isEndToEnd" />}
      <Switch name="asTables" />
      <Stretch end={end} />
    </form>
  );
}

type SwitchName = Exclude<keyof CurveChoices, 'axis'>;

function Switch({ name }: { name: SwitchName }) {
  return (
    <label class="check">
      <input
        type="checkbox"
        checked={choices.value[name]}
        onChange={({ currentTarget }) => choose({ [name]: currentTarget.checked })}
      />
      {texts().runs[name]}
    </label>
  );
}

/** The stretch that is shown, in numbers: for those without a mouse, and to be exact. */
function Stretch({ end }: { end: number }) {
  const text = texts().runs;
  const { from, to } = zoom.value ?? { from: 0, to: end };
  const show = (next: Range) => {
    if (next.to > next.from) zoom.value = next;
  };
  return (
    <div class="stretch" title={text.zoomHint}>
      <Place />
      <label>
        {text.from}
        <input
          type="number"
          min="0"
          max={to}
          value={from}
          onChange={({ currentTarget: { valueAsNumber } }) => {
            if (valueAsNumber >= 0) show({ from: valueAsNumber, to });
          }}
        />
      </label>
      <label>
        {text.to}
        <input
          type="number"
          min={from}
          max={end}
          value={to}
          onChange={({ currentTarget: { valueAsNumber } }) => {
            if (valueAsNumber >= 0) show({ from, to: valueAsNumber });
          }}
        />
      </label>
      <button
        type="button"
        class="plain"
        disabled={zoom.value === null}
        onClick={() => {
          zoom.value = null;
        }}
      >
        {text.showAll}
      </button>
    </div>
  );
}

/** Where the pointer is; the names below the pictures have the values. */
function Place() {
  const text = texts().runs;
  const place = pointed.value;
  if (place === null) return null;
  const at = formatNumber(Math.max(0, Math.round(place)));
  // A pointer is no news for a screen reader.
  return <span aria-hidden="true">{text.at[choices.value.axis](at)}</span>;
}
