/** Texts of a grammar, written token by token as a model would that knows nothing. */

import { compileExpression } from '../../src/grammar/automaton.ts';
import type { Expression } from '../../src/grammar/expression.ts';
import type { GrammarState } from '../../src/grammar/grammar-state.ts';
import { Matcher } from '../../src/grammar/matcher.ts';
import { Vocabulary } from '../../src/grammar/vocabulary.ts';
import { Random } from '../../src/random.ts';
import { shippedModel } from '../../src/shipped-model.ts';
import { loadTextFiles } from '../../src/text/tokenizer-files.ts';

export const { tokenizer } = await loadTextFiles(shippedModel);
export const vocabulary = new Vocabulary(tokenizer);

export function startOf(expression: Expression): GrammarState {
  return new Matcher(compileExpression(expression), vocabulary).start;
}

/** Whether a text, as it is usually cut into tokens, is one of the grammar. */
export function accepts(start: GrammarState, text: string): boolean {
  let state: GrammarState | null = start;
  for (const token of tokenizer.encode(text)) state = state?.after(token) ?? null;
  return state?.isFinal ?? false;
}

function allowedTokens({ mask }: GrammarState): number[] {
  return Array.from({ length: 32 * mask.length }, (_, token) => token).filter(
    (token) => (mask[token >> 5]! >>> (token & 31)) & 1,
  );
}

/** What ends things; chosen more and more often. */
const closers = ['"', '}', ']', '"}', '0', '<', '>', '\n', '/'].flatMap((text) =>
  tokenizer.encode(text).slice(0, 1),
);

/** A random text of the grammar; null if it does not come to an end. */
export function walk(start: GrammarState, seed: number, most = 600): string | null {
  const random = new Random(seed);
  const tokens: number[] = [];
  let state = start;
  while (tokens.length < most) {
    const allowed = allowedTokens(state);
    if (state.isFinal && (allowed.length === 0 || random.chance(0.3))) {
      return tokenizer.decode(tokens);
    }
    if (allowed.length === 0) throw new Error(`a dead end after ${tokenizer.decode(tokens)}`);
    const ending = allowed.filter((token) => closers.includes(token));
    const closes = ending.length > 0 && random.chance(Math.min(0.9, 0.1 + tokens.length / 100));
    const token = random.pick(closes ? ending : allowed);
    tokens.push(token);
    const next = state.after(token);
    if (next === null) throw new Error(`token ${token} was allowed, but cannot come`);
    state = next;
  }
  return null;
}
