import { useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { answering, send, stop } from '../chat/answering.ts';
import { info } from '../connection/active.ts';
import { sampling, texts } from '../preferences.ts';
import { Icon } from './icon.tsx';

export function Composer() {
  const text = texts();
  const written = useSignal('');
  const field = useRef<HTMLTextAreaElement>(null);
  useEffect(() => field.current?.focus(), []);
  const isAnswering = answering.value !== null;
  const canSend = !isAnswering && info.value !== null && written.value.trim() !== '';
  const submit = () => {
    if (!canSend) return;
    void send(written.value.trim());
    written.value = '';
    field.current?.focus();
  };
  const { thinking } = sampling.value;
  return (
    <form
      class="composer column"
      onSubmit={(event) => {
        event.preventDefault();
        submit();
      }}
    >
      <label class="hidden" for="message">
        {text.message}
      </label>
      <textarea
        id="message"
        ref={field}
        rows={1}
        placeholder={text.placeholder}
        aria-describedby="keys"
        value={written.value}
        onInput={({ currentTarget }) => {
          written.value = currentTarget.value;
        }}
        onKeyDown={(event) => {
          // Enter also ends the choice of a Chinese character.
          if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
          event.preventDefault();
          submit();
        }}
      />
      <div class="tools">
        <button
          type="button"
          class="toggle"
          aria-pressed={thinking}
          onClick={() => {
            sampling.value = { ...sampling.value, thinking: !thinking };
          }}
        >
          {text.thinking}
        </button>
        <p id="keys" class="quiet">
          {text.keys}
        </p>
        {isAnswering ? (
          <button type="button" class="main" aria-label={text.stop} onClick={stop}>
            <Icon name="stop" />
          </button>
        ) : (
          <button type="submit" class="main" aria-label={text.send} disabled={!canSend}>
            <Icon name="send" />
          </button>
        )}
      </div>
    </form>
  );
}
