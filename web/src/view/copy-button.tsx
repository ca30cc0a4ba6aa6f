import { useSignal } from '@preact/signals';
import { texts } from '../preferences.ts';
import { Icon } from './icon.tsx';

const shownMilliseconds = 1500;

export function CopyButton({ text }: { text: () => string }) {
  const isCopied = useSignal(false);
  const label = isCopied.value ? texts().copied : texts().copy;
  // Browsers have a clipboard on secure pages only.
  if (navigator.clipboard === undefined) return null;
  return (
    <button
      type="button"
      class="plain"
      aria-label={label}
      onClick={async () => {
        await navigator.clipboard.writeText(text());
        isCopied.value = true;
        setTimeout(() => {
          isCopied.value = false;
        }, shownMilliseconds);
      }}
    >
      <Icon name={isCopied.value ? 'check' : 'copy'} />
    </button>
  );
}
