/** What lies beside the chat, as far as the screen has room. On a narrow one it covers the chat. */
import { type Signal, signal } from '@preact/signals';

const narrow = matchMedia('(max-width: 50rem)');
const wide = matchMedia('(min-width: 70rem)');

export const showConversations = signal(!narrow.matches);
export const showFigures = signal(wide.matches);
/** Of training; on a narrow screen it lies above the curves. */
export const showRuns = signal(true);

narrow.addEventListener('change', ({ matches }) => {
  showConversations.value = !matches;
  showFigures.value = wide.matches;
});

/** Shows or hides a side; on a narrow screen only one is open. */
export function toggleSide(side: Signal<boolean>): void {
  const other = side === showFigures ? showConversations : showFigures;
  side.value = !side.value;
  if (side.value && narrow.matches) other.value = false;
}

/** On a narrow screen, shows the chat again. */
export function uncoverChat(): void {
  if (!narrow.matches) return;
  showConversations.value = false;
  showFigures.value = false;
}
