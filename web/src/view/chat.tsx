import { useLayoutEffect, useRef } from 'preact/hooks';
import { answering } from '../chat/answering.ts';
import { current } from '../chat/conversations.ts';
import type { Message } from '../chat/message.ts';
import { texts } from '../preferences.ts';
import { Answer } from './answer.tsx';
import { Composer } from './composer.tsx';
import { Welcome } from './welcome.tsx';

/** How near to its end, in pixels, a chat must be to follow what is being written. */
const near = 120;

export function Chat() {
  const text = texts();
  const { id, messages } = current.value;
  const scroller = useRef<HTMLDivElement>(null);
  const follows = useRef(true);
  useLayoutEffect(() => {
    follows.current = true;
  }, [id, messages.length]);
  useLayoutEffect(() => {
    const element = scroller.current!;
    if (follows.current) element.scrollTop = element.scrollHeight;
  });
  return (
    <main class="chat">
      <div
        class="messages"
        ref={scroller}
        onScroll={({ currentTarget: { scrollHeight, scrollTop, clientHeight } }) => {
          follows.current = scrollHeight - scrollTop - clientHeight < near;
        }}
      >
        {messages.length === 0 ? (
          <Welcome />
        ) : (
          <ol class="column">
            {messages.map((message, i) => (
              <li key={`${id} ${i}`} class={message.role}>
                <Said message={message} isLast={i === messages.length - 1} />
              </li>
            ))}
          </ol>
        )}
      </div>
      <div class="hidden" role="status">
        {announcement(messages)}
      </div>
      <Composer key={id} />
    </main>
  );

  /** For screen readers: that an answer is coming, and the whole of it once it is there. */
  function announcement(all: readonly Message[]): string {
    if (answering.value?.conversation === id) return text.answering;
    const last = all.at(-1);
    return last?.role === 'assistant' ? text.answered(last.content) : '';
  }
}

function Said({ message, isLast }: { message: Message; isLast: boolean }) {
  const text = texts();
  if (message.role === 'assistant') return <Answer message={message} isLast={isLast} />;
  return (
    <>
      <h2 class="hidden">{message.role === 'tool' ? text.toolResult : text.you}</h2>
      <p class="bubble">{message.content}</p>
    </>
  );
}
