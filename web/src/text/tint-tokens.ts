/**
 * Colours text by the MTP head that drafted it. The colours are highlights over ranges of the document
 * (CSS Custom Highlight API), so that text stays whole: words are not cut into elements, and a screen
 * reader reads them as they are. A browser without highlights shows none.
 */
import type { DraftedToken } from '../chat/message.ts';
import { alignTokens } from './align-tokens.ts';

/** Colours that there are; further heads begin anew. */
const colours = 3;

/** Colours the text of some elements, one after another; → what takes the colours away again. */
export function tintTokens(
  elements: readonly Element[],
  tokens: readonly DraftedToken[],
): () => void {
  if (!('highlights' in CSS)) return () => {};
  const nodes = elements.flatMap(textNodes);
  const text = nodes.map(({ data }) => data).join('');
  const places = alignTokens(
    tokens.map(([token]) => token),
    text,
  );
  const added: [Highlight, Range][] = [];
  places.forEach(({ begin, end }, i) => {
    const head = tokens[i]![1];
    if (head === null || begin === end) return;
    const highlight = highlightOf(head);
    for (const range of rangesOf(nodes, begin, end)) {
      highlight.add(range);
      added.push([highlight, range]);
    }
  });
  return () => {
    for (const [highlight, range] of added) highlight.delete(range);
  };
}

function highlightOf(head: number): Highlight {
  const name = `head-${(head % colours) + 1}`;
  const known = CSS.highlights.get(name);
  if (known !== undefined) return known;
  const highlight = new Highlight();
  CSS.highlights.set(name, highlight);
  return highlight;
}

/** What of its nodes the piece of text from `begin` to `end` covers. */
function rangesOf(nodes: readonly Text[], begin: number, end: number): Range[] {
  const ranges: Range[] = [];
  let offset = 0;
  for (const node of nodes) {
    const from = Math.max(begin - offset, 0);
    const to = Math.min(end - offset, node.length);
    if (from < to) {
      const range = new Range();
      range.setStart(node, from);
      range.setEnd(node, to);
      ranges.push(range);
    }
    offset += node.length;
  }
  return ranges;
}

function textNodes(element: Element): Text[] {
  const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
  const nodes: Text[] = [];
  while (walker.nextNode()) {
    const node = walker.currentNode as Text;
    if (node.parentElement?.closest('button') === null) nodes.push(node);
  }
  return nodes;
}
