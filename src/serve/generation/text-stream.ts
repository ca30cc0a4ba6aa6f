/**
 * Turns generated tokens into text up to a stop string, and says which tokens each piece of text
 * belongs to. A character may be spread over tokens, and text that may begin a stop string is held
 * back; a token is given with the text that it begins in.
 */

import { StopScanner } from '../../text/stop-scanner.ts';
import type { StreamDecoder } from '../../text/stream-decoder.ts';
import type { GeneratedToken } from '../serving-engine.ts';

export interface TextToken extends GeneratedToken {
  /** The text that it completes; of a character over several tokens, the last has it. */
  text: string;
  /** Where in the text the token begins, in UTF-16 units. */
  offset: number;
}

export interface TextPiece {
  text: string;
  tokens: TextToken[];
}

export class TextStream {
  readonly #decoder: StreamDecoder;
  readonly #scanner: StopScanner;
  #waiting: TextToken[] = [];
  #decodedLength = 0;
  #givenLength = 0;

  constructor(decoder: StreamDecoder, stops: readonly string[]) {
    this.#decoder = decoder;
    this.#scanner = new StopScanner(stops);
  }

  /** The stop string that ended the text, which the tokens after it are no part of. */
  get stop(): string | null {
    return this.#scanner.found;
  }

  push(token: GeneratedToken): TextPiece {
    const text = this.#decoder.push(token.id);
    this.#waiting.push({ ...token, text, offset: this.#decodedLength });
    return this.#give(text);
  }

  /** What was held back, now that no more comes. */
  end(): TextPiece {
    const piece = this.#give(this.#decoder.end());
    const text = piece.text + this.#scanner.end();
    // Past a stop string no token is given; without one, also those that have no text.
    const rest = this.stop === null ? this.#waiting : [];
    return { text, tokens: [...piece.tokens, ...rest] };
  }

  #give(decoded: string): TextPiece {
    this.#decodedLength += decoded.length;
    const text = this.#scanner.push(decoded);
    this.#givenLength += text.length;
    const tokens = this.#waiting.filter(({ offset }) => offset < this.#givenLength);
    this.#waiting = this.#waiting.slice(tokens.length);
    return { text, tokens };
  }
}
