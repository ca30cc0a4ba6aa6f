import type { DecoderSequence } from './decoder-sequence.ts';

/** Rows of a prompt that pass the model at once. */
const chunkRows = 512;

/**
 * Where the next chunk of a sequence's prompt ends; its last token is left to the first step. Chunks are
 * cut in the same places whatever else is computed, so that sums are the same too.
 */
export function chunkEnd({ length }: DecoderSequence, promptTokens: number): number {
  const next = (Math.floor(length / chunkRows) + 1) * chunkRows;
  return Math.min(next, promptTokens - 1);
}
