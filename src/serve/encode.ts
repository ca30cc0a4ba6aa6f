import type { Tokenizer } from '../text/tokenizer.ts';

/** Ids of each text; of one with more than `limit`, only as many as show that. */
export type Encode = (texts: readonly string[], limit?: number) => Promise<number[][]>;

/** Encodes at once, whatever waits meanwhile. */
export function encodeHere(tokenizer: Tokenizer): Encode {
  return async (texts, limit) => texts.map((text) => tokenizer.encode(text, limit));
}
