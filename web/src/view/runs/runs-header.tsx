import { texts } from '../../preferences.ts';
import { summaries } from '../../runs/runs.ts';
import { showRuns } from '../../sides.ts';
import { Icon } from '../icon.tsx';
import { SideFoot } from '../side-foot.tsx';

export function RunsHeader() {
  const text = texts().runs;
  const hasRuns = (summaries.value?.length ?? 0) > 0;
  const running = (summaries.value ?? []).filter(({ state }) => state === 'running').length;
  return (
    <header class="header">
      {hasRuns && (
        <button
          type="button"
          class="plain"
          aria-label={text.list}
          aria-expanded={showRuns.value}
          onClick={() => {
            showRuns.value = !showRuns.value;
          }}
        >
          <Icon name="menu" />
        </button>
      )}
      <div class="title">
        <h1>{text.title}</h1>
        {running > 0 && <p>{text.running(running)}</p>}
      </div>
      <SideFoot />
      <a class="plain" href="#/">
        <Icon name="chat" />
        <span class="wide">{text.toChat}</span>
      </a>
    </header>
  );
}
