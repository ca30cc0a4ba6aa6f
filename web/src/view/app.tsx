import { useEffect } from 'preact/hooks';
import { stop } from '../chat/answering.ts';
import { current } from '../chat/conversations.ts';
import { titleOf } from '../chat/message.ts';
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
  const title = titleOf(current.value);
  useEffect(() => {
    document.title = title === '' ? 'mimoflash' : `${title} · mimoflash`;
  }, [title]);
  return (
    <div class="page">
      {showConversations.value && <Conversations />}
      <div class="middle">
        <Header />
        <Notice />
        <Chat />
      </div>
      {showFigures.value && <Figures />}
      <Settings />
    </div>
  );
}
