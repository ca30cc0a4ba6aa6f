import { current } from '../chat/conversations.ts';
import type { AssistantMessage } from '../chat/message.ts';
import { info } from '../connection/active.ts';
import { texts } from '../preferences.ts';
import { DraftingFigures } from './drafting-figures.tsx';
import { LoadFigures } from './load-figures.tsx';
import { MemoryFigures } from './memory-figures.tsx';
import { SpeedFigures } from './speed-figures.tsx';

/** Beside the chat: what makes this architecture fast, as it happens. */
export function Figures() {
  const text = texts();
  const figures = info.value;
  const answer = current.value.messages.findLast(
    (message): message is AssistantMessage => message.role === 'assistant',
  );
  return (
    <aside class="figures" aria-label={text.figures}>
      {figures === null ? (
        <p class="quiet">{text.noFigures}</p>
      ) : (
        <>
          <SpeedFigures answer={answer ?? null} info={figures} />
          <DraftingFigures answer={answer ?? null} info={figures} />
          <MemoryFigures answer={answer ?? null} info={figures} />
          <LoadFigures info={figures} />
        </>
      )}
    </aside>
  );
}
