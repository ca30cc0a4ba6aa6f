/** Log-probabilities of tokens as OpenAI's two APIs write them. */

import type { Tokenizer } from '../../text/tokenizer.ts';
import type { ScoredToken, TokenLogprob } from '../serving-engine.ts';
import { finite, tokenText } from '../token-text.ts';

/** An entry of `logprobs.content`. */
export function chatLogprob(tokenizer: Tokenizer, score: ScoredToken) {
  const entry = ({ id, logprob }: TokenLogprob) => {
    const { text, bytes } = tokenText(tokenizer, id);
    return { token: text, logprob: finite(logprob), bytes: [...bytes] };
  };
  return { ...entry(score), top_logprobs: score.top.map(entry) };
}

/** The object of `/v1/completions`, of tokens one after another. */
export class CompletionLogprobs {
  readonly tokens: string[] = [];
  readonly token_logprobs: (number | null)[] = [];
  readonly top_logprobs: (Record<string, number> | null)[] = [];
  readonly text_offset: number[] = [];

  /** @param score `null` for the first token of a prompt, which has none. */
  add(tokenizer: Tokenizer, id: number, offset: number, score: ScoredToken | null): void {
    this.tokens.push(tokenText(tokenizer, id).text);
    this.text_offset.push(offset);
    this.token_logprobs.push(score && finite(score.logprob));
    // The token itself is always there, also where others are more probable.
    this.top_logprobs.push(
      score &&
        Object.fromEntries(
          [...score.top, score].map((entry) => [
            tokenText(tokenizer, entry.id).text,
            finite(entry.logprob),
          ]),
        ),
    );
  }
}
