/**
 * What a model writes, as part of the document. It is not to be trusted: HTML in it is shown as it is
 * written, what Markdown becomes is cleaned, and the page's policy would let nothing run in any case.
 */
import DOMPurify from 'dompurify';
import { Marked } from 'marked';
import { escapeHtml, highlightCode } from './highlight-code.ts';

const marked = new Marked({ gfm: true, breaks: true });
marked.use({
  renderer: {
    html: ({ text }) => escapeHtml(text),
    code({ text, lang }) {
      return `<pre><code class="hljs">${highlightCode(text, lang ?? '')}</code></pre>`;
    },
  },
});

const purify = DOMPurify(window);
purify.addHook('afterSanitizeAttributes', (node) => {
  if (node.tagName !== 'A') return;
  node.setAttribute('target', '_blank');
  node.setAttribute('rel', 'noopener noreferrer');
});

/** Elements of text only: no pictures, which would tell others that they are looked at, and no forms. */
const forbidden = ['img', 'svg', 'style', 'form', 'input', 'button', 'textarea', 'select'];

export function renderMarkdown(text: string): DocumentFragment {
  return purify.sanitize(marked.parse(text, { async: false }), {
    USE_PROFILES: { html: true },
    FORBID_TAGS: [...forbidden, 'video', 'audio', 'iframe', 'dialog'],
    FORBID_ATTR: ['style', 'id', 'name'],
    ALLOW_DATA_ATTR: false,
    RETURN_DOM_FRAGMENT: true,
  });
}
