import { useLayoutEffect, useRef } from 'preact/hooks';
import { renderMarkdown } from '../text/markdown.ts';

export function Markdown({ text }: { text: string }) {
  const element = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    const rendered = renderMarkdown(text);
    // Code that is wider than the column is scrolled, by keyboard too.
    for (const code of rendered.querySelectorAll('pre')) code.tabIndex = 0;
    element.current!.replaceChildren(rendered);
  }, [text]);
  return <div class="markdown" data-tokens ref={element} />;
}
