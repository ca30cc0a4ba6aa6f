import { notice } from '../../notice.ts';
import { texts } from '../../preferences.ts';
import { runsTrouble, summaries } from '../../runs/runs.ts';

/** Why there are no runs, or why they may be older than they look. */
export function RunsNotice() {
  const text = texts();
  const failure = runsTrouble.value;
  // Without a server there is a page that says so.
  const isTold = failure?.status === 404 && summaries.value === null;
  return (
    <div class="notices" role="status">
      {failure === null && summaries.value === null && <p class="notice">{text.runs.reading}</p>}
      {failure !== null && !isTold && (
        <p class="notice trouble">
          {failure.status === 401 ? text.needsKey : text.runs.unreadable(failure.message)}
        </p>
      )}
      {notice.value !== null && <p class="notice trouble">{notice.value}</p>}
    </div>
  );
}
