/**
 * Turns token ids into text one at a time. A character may be spread over several tokens, so what
 * does not end on a whole character is held back until the tokens that complete it arrive.
 */
export class StreamDecoder {
  readonly #bytesOf: (id: number) => Uint8Array;
  readonly #utf8 = new TextDecoder('utf-8', { ignoreBOM: true });

  /** @param bytesOf the UTF-8 bytes of a token; none for a token that is not to be shown. */
  constructor(bytesOf: (id: number) => Uint8Array) {
    this.#bytesOf = bytesOf;
  }

  /** The text that `id` completes; often empty. Bytes that can never be UTF-8 come as U+FFFD. */
  push(id: number): string {
    return this.#utf8.decode(this.#bytesOf(id), { stream: true });
  }

  /** What was held back: an unfinished character as U+FFFD. The decoder is then as new. */
  end(): string {
    return this.#utf8.decode();
  }
}
