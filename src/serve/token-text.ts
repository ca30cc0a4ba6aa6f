/** Single tokens, and their log-probabilities, in JSON. */
import type { Tokenizer } from '../text/tokenizer.ts';

/** JSON has no −∞ for a token of probability 0; OpenAI writes this. */
const LOWEST = -9999;

export interface TokenText {
  text: string;
  bytes: Uint8Array;
}

/** A token as text; bytes that are no whole character as OpenAI spells them, `bytes:\xe4\xbd`. */
export function tokenText(tokenizer: Tokenizer, id: number): TokenText {
  const bytes = tokenizer.bytesOf(id);
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    return { text, bytes };
  } catch {
    const hex = Array.from(bytes, (byte) => `\\x${byte.toString(16).padStart(2, '0')}`);
    return { text: `bytes:${hex.join('')}`, bytes };
  }
}

export function finite(logprob: number): number {
  return Math.max(LOWEST, logprob);
}
