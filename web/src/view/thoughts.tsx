import { useEffect, useRef } from 'preact/hooks';
import { texts } from '../preferences.ts';
import { Icon } from './icon.tsx';

/** What the model thinks before it answers: to be seen while it comes, folded once it is done. */
export function Thoughts({ text, isOpen }: { text: string; isOpen: boolean }) {
  const details = useRef<HTMLDetailsElement>(null);
  useEffect(() => {
    details.current!.open = isOpen;
  }, [isOpen]);
  return (
    <details class="thoughts" ref={details}>
      <summary>
        <Icon name="chevron" />
        {isOpen ? texts().isThinking : texts().thoughts}
      </summary>
      <div data-tokens>{text}</div>
    </details>
  );
}
