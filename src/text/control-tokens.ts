/**
 * Control tokens in text, and how text from outside is kept from smuggling them in.
 *
 * A chat template is one string in which the template's own `<|im_end|>` and one that a user typed
 * look the same. So before rendering, every control token that occurs in text from outside is
 * broken up with a guard character, which the tokenizer takes out again after it has looked for
 * control tokens. The guard is U+FDD0, a code point that Unicode reserves for a program's internal
 * use; where it comes from outside it is replaced by U+FFFD, as Unicode recommends.
 */
const GUARD = '\uFDD0';
const EVERY_GUARD = new RegExp(GUARD, 'g');

/** Finds any of `tokens`, the longest where several start; the match is captured. */
export function controlPattern(tokens: readonly string[]): RegExp {
  if (tokens.length === 0) return /(?!)/g;
  const longestFirst = [...tokens].sort((a, b) => b.length - a.length);
  return new RegExp(`(${longestFirst.map(escapeRegExp).join('|')})`, 'g');
}

/** `text` with a guard after the first character of each match of `pattern`. */
export function guardText(text: string, pattern: RegExp): string {
  return text
    .replace(EVERY_GUARD, '\uFFFD')
    .replace(pattern, (token) => `${token[0]}${GUARD}${token.slice(1)}`);
}

/** What `guardText` was given, for text that has been searched for control tokens. */
export function removeGuards(text: string): string {
  return text.replace(EVERY_GUARD, '');
}

function escapeRegExp(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
}
