import { useLayoutEffect, useRef } from 'preact/hooks';
import { answering, regenerate } from '../chat/answering.ts';
import type { AssistantMessage } from '../chat/message.ts';
import { tintTokens as isTinted, texts } from '../preferences.ts';
import { tintTokens } from '../text/tint-tokens.ts';
import { CopyButton } from './copy-button.tsx';
import { Icon } from './icon.tsx';
import { Markdown } from './markdown.tsx';
import { Thoughts } from './thoughts.tsx';
import { ToolCallCard } from './tool-call.tsx';

export function Answer({ message, isLast }: { message: AssistantMessage; isLast: boolean }) {
  const text = texts();
  const { reasoning, content, toolCalls, tokens, ending, error } = message;
  const element = useRef<HTMLElement>(null);
  const isDone = ending !== null;
  const tint = isTinted.value;
  useLayoutEffect(() => {
    if (!tint) return;
    return tintTokens([...element.current!.querySelectorAll('[data-tokens]')], tokens);
  }, [tint, tokens, reasoning, content]);
  return (
    <article ref={element} aria-busy={!isDone}>
      <h2 class="hidden">{text.model}</h2>
      {reasoning !== '' && <Thoughts text={reasoning} isOpen={!isDone && content === ''} />}
      <Markdown text={content} />
      {!isDone && reasoning === '' && content === '' && <span class="waiting" aria-hidden="true" />}
      {toolCalls.map((call) => (
        <ToolCallCard key={call.id} call={call} />
      ))}
      {ending === 'stopped' && <p class="ending">{text.stopped}</p>}
      {ending === 'length' && <p class="ending">{text.cut}</p>}
      {error !== null && <p class="ending trouble">{text.failed(error)}</p>}
      {isDone && (
        <div class="actions">
          <CopyButton text={() => content} />
          {isLast && (
            <button
              type="button"
              class="plain"
              aria-label={text.regenerate}
              disabled={answering.value !== null}
              onClick={() => void regenerate()}
            >
              <Icon name="again" />
            </button>
          )}
        </div>
      )}
    </article>
  );
}
