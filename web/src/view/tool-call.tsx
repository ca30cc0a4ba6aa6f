import { useSignal } from '@preact/signals';
import { giveResult } from '../chat/answering.ts';
import { current } from '../chat/conversations.ts';
import { type ToolCall, writtenArguments } from '../chat/tool-calls.ts';
import { texts } from '../preferences.ts';
import { Icon } from './icon.tsx';

/** A call as the model wrote it, and the place to give its result: nothing is run by the page. */
export function ToolCallCard({ call }: { call: ToolCall }) {
  const text = texts();
  const result = useSignal('');
  const written = writtenArguments(call);
  const isAnswered = current.value.messages.some(
    (message) => message.role === 'tool' && message.callId === call.id,
  );
  return (
    <section class="call" aria-label={text.toolCall(call.name)}>
      <h3>
        <Icon name="call" />
        {text.toolCall(call.name)}
      </h3>
      <pre>{written ?? call.arguments}</pre>
      {written !== null && !isAnswered && (
        <form
          onSubmit={(event) => {
            event.preventDefault();
            void giveResult(call.id, result.value);
          }}
        >
          <label>
            <span class="hidden">{text.toolResult}</span>
            <input
              type="text"
              placeholder={text.toolResult}
              value={result.value}
              onInput={({ currentTarget }) => {
                result.value = currentTarget.value;
              }}
            />
          </label>
          <button type="submit">{text.giveResult}</button>
        </form>
      )}
    </section>
  );
}
