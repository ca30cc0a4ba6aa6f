import { texts } from '../../preferences.ts';
import { Icon } from '../icon.tsx';

const train = 'mimoflash train runs/tiny-1-one-head.json';
const watch = 'mimoflash serve --runs <folder>';

/** What makes a run, or shows those that there are. */
export function NoRuns({ hasServer }: { hasServer: boolean }) {
  const text = texts().runs;
  return (
    <div class="no-runs">
      <Icon name="curves" />
      <h2>{text.none}</h2>
      <p>{hasServer ? text.noneHint : text.noServer}</p>
      <pre>
        <code>{hasServer ? train : watch}</code>
      </pre>
      {hasServer && (
        <>
          <p>{text.otherFolder}</p>
          <pre>
            <code>{watch}</code>
          </pre>
        </>
      )}
    </div>
  );
}
