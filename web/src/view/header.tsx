import { info } from '../connection/active.ts';
import { place, places, texts } from '../preferences.ts';
import { showConversations, showFigures, toggleSide } from '../sides.ts';
import { Icon } from './icon.tsx';

export function Header() {
  const text = texts();
  const running = info.value;
  return (
    <header class="header">
      <button
        type="button"
        class="plain"
        aria-label={text.conversations}
        aria-expanded={showConversations.value}
        onClick={() => toggleSide(showConversations)}
      >
        <Icon name="menu" />
      </button>
      <div class="title">
        <h1>{running?.model ?? 'mimoflash'}</h1>
        <p>{running?.device ?? (place.value === 'tab' ? text.inTab : text.onServer)}</p>
      </div>
      <fieldset class="switch">
        <legend class="hidden">{text.where}</legend>
        {places.map((option) => (
          <label key={option}>
            <input
              type="radio"
              name="place"
              value={option}
              checked={place.value === option}
              onChange={() => {
                place.value = option;
              }}
            />
            <span>{option === 'tab' ? text.tab : text.server}</span>
          </label>
        ))}
      </fieldset>
      <a class="plain" href="#/runs">
        <Icon name="curves" />
        <span class="wide">{text.runs.link}</span>
      </a>
      <button
        type="button"
        class="plain"
        aria-label={text.figures}
        aria-expanded={showFigures.value}
        onClick={() => toggleSide(showFigures)}
      >
        <Icon name="chart" />
      </button>
    </header>
  );
}
