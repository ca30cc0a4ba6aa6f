/** How drafting went in an answer, read off its tokens. */
import type { DraftedToken } from './message.ts';

export interface Drafting {
  /** Passes of the model. */
  passes: number;
  /** Of head k, tokens that it drafted and the model took. */
  accepted: readonly number[];
}

/**
 * A pass gives the drafts that were right, from head 0 on, and then one token of the model's own. Of
 * the last pass that token may be missing, if it ended the answer.
 */
export function draftingOf(tokens: readonly DraftedToken[], heads: number): Drafting {
  const own = tokens.filter(([, head]) => head === null).length;
  const isLastOpen = tokens.length > 0 && tokens.at(-1)![1] !== null;
  const accepted = Array.from(
    { length: heads },
    (_, head) => tokens.filter(([, other]) => other === head).length,
  );
  return { passes: own + (isLastOpen ? 1 : 0), accepted };
}
