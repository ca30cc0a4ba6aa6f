import { type Signal, useSignal } from '@preact/signals';
import type { ComponentType } from 'preact';
import { useEffect } from 'preact/hooks';
import { address } from '../address.ts';
import { stop } from '../chat/answering.ts';
import { current } from '../chat/conversations.ts';
import { titleOf } from '../chat/message.ts';
import { showNotice } from '../notice.ts';
import { texts } from '../preferences.ts';
import { showConversations, showFigures } from '../sides.ts';
import { Chat } from './chat.tsx';
import { Conversations } from './conversations.tsx';
import { Figures } from './figures.tsx';
import { Header } from './header.tsx';
import { Notice } from './notice.tsx';
import { Settings } from './settings.tsx';

export function App() {
  useEffect(() => {
    const stopOnEscape = (event: KeyboardEvent) => {
      if (event.key === 'Escape' && !document.querySelector('dialog[open]')) stop();
    };
    addEventListener('keydown', stopOnEscape);
    return () => removeEventListener('keydown', stopOnEscape);
  }, []);
  return (
    <div class="page">
      {address.value.view === 'runs' ? <LoadedRuns /> : <ChatPage />}
      <Settings />
    </div>
  );
}

function ChatPage() {
  const title = titleOf(current.value);
  useEffect(() => {
    document.title = title === '' ? 'mimoflash' : `${title} · mimoflash`;
  }, [title]);
  return (
    <>
      {showConversations.value && <Conversations />}
      <div class="middle">
        <Header />
        <Notice />
        <Chat />
      </div>
      {showFigures.value && <Figures />}
    </>
  );
}

/** Loaded when it is first opened: a chat needs none of it. */
function LoadedRuns() {
  const page: Signal<{ Runs: ComponentType } | null> = useSignal(null);
  useEffect(() => {
    import('./runs/runs.tsx')
      .then((module) => {
        page.value = { Runs: module.Runs };
      })
      .catch(() => showNotice(texts().runs.noPictures));
  }, []);
  if (page.value === null) return <Notice />;
  const { Runs } = page.value;
  return <Runs />;
}
