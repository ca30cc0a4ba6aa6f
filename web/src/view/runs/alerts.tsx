import { texts } from '../../preferences.ts';
import { chosen } from '../../runs/runs.ts';
import { Icon } from '../icon.tsx';
import { nameOf } from './run-entry.tsx';

/** What the chosen runs warn of: of num-zeros, or why they ended. */
export function Alerts() {
  const text = texts().runs;
  const warned = chosen.value.filter(({ warning }) => warning !== null);
  return (
    <div role="status">
      {warned.map((run) => (
        <p key={run.run} class="alert">
          <Icon name="warning" />
          <span>
            <span class="hidden">{text.warning}: </span>
            <b>{nameOf(run.run)}</b> {run.warning!.text}
          </span>
        </p>
      ))}
    </div>
  );
}
