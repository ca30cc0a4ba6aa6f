/**
 * Finds tokens again in the text that the reader sees. That is nearly what the model wrote: the marks
 * of Markdown are gone from it, white space is another, and nothing else changes. So each token is
 * looked for where the last one ended, letter by letter, and letters that are not shown are passed over.
 */

/** Where a token is in the text; an empty range if it is not shown. */
export interface TextRange {
  begin: number;
  end: number;
}

/** A token that is not where it should be is looked for this much further on. */
const reach = 24;

export function alignTokens(tokens: readonly string[], text: string): TextRange[] {
  const letters: { letter: string; at: number }[] = [];
  for (let at = 0; at < text.length; at++) {
    if (!isSpace(text[at]!)) letters.push({ letter: text[at]!, at });
  }
  const shown = letters.map(({ letter }) => letter).join('');
  let next = 0;
  return tokens.map((token) => {
    const wanted = Array.from({ length: token.length }, (_, i) => token[i]!)
      .filter((letter) => !isSpace(letter))
      .join('');
    const first = next;
    let found = 0;
    if (wanted.length > 2 && !shown.startsWith(wanted, next)) {
      // A control token, or letters before it that the model did not write, as those of a link.
      const later = shown.slice(next, next + reach).indexOf(wanted);
      if (later < 0 && /^<.*>$/.test(wanted)) return { begin: 0, end: 0 };
      if (later >= 0) next += later;
    }
    const begin = Math.max(first, next);
    for (const letter of wanted) {
      if (shown[next] !== letter) continue;
      next++;
      found++;
    }
    if (found === 0) return { begin: 0, end: 0 };
    return { begin: letters[begin]!.at, end: letters[next - 1]!.at + 1 };
  });
}

function isSpace(letter: string): boolean {
  return /\s/.test(letter);
}
