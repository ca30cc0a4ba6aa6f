import { info, loading, trouble } from '../connection/active.ts';
import type { Failure } from '../connection/failure.ts';
import { notice } from '../notice.ts';
import { place, texts } from '../preferences.ts';
import { Icon } from './icon.tsx';

/** What keeps the model from answering, and how far its loading is. */
export function Notice() {
  const text = texts();
  const share = loading.value;
  const failure = trouble.value;
  return (
    <div class="notices" role="status">
      {share !== null && (
        <p class="notice">
          {text.loadingModel(Math.round(share * 100))}
          <progress value={share} max="1" aria-label={text.loadingModel(Math.round(share * 100))} />
        </p>
      )}
      {failure !== null && <p class="notice trouble">{explain(failure)}</p>}
      {failure === null && share === null && info.value === null && place.value === 'server' && (
        <p class="notice">{text.connecting}</p>
      )}
      {notice.value !== null && (
        <p class="notice">
          {notice.value}
          <button
            type="button"
            class="plain"
            aria-label={text.close}
            onClick={() => {
              notice.value = null;
            }}
          >
            <Icon name="close" />
          </button>
        </p>
      )}
    </div>
  );
}

function explain({ status, message }: Failure): string {
  const text = texts();
  if (status === 401) return text.needsKey;
  return place.value === 'tab' ? text.notInTab(message) : text.unreachable(message);
}
