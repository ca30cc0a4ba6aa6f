import type { Tokenizer } from '../text/tokenizer.ts';

type TokenBytes = Pick<Tokenizer, 'vocabSize' | 'bytesOf' | 'isSpecial'>;

/** Tokens in the order of their bytes, so that those that begin alike are together. */
export interface OrderedTokens {
  ids: Int32Array;
  /** Bytes that a token has in common with the one before it. */
  common: Int32Array;
  /** Where the bytes of each begin in `bytes`; one more for the end. */
  begins: Int32Array;
  bytes: Uint8Array;
}

/** The tokens that a grammar may write: all but control tokens that are no text. */
export class Vocabulary {
  /** Words of a mask of all tokens. */
  readonly maskWords: number;
  readonly #tokenizer: TokenBytes;
  #ordered: OrderedTokens | null = null;

  constructor(tokenizer: TokenBytes) {
    this.#tokenizer = tokenizer;
    this.maskWords = Math.ceil(tokenizer.vocabSize / 32);
  }

  /** Made when first asked for: a large vocabulary's takes a while. */
  get ordered(): OrderedTokens {
    this.#ordered ??= this.#order();
    return this.#ordered;
  }

  /** Null for a token that is no text. */
  bytesOf(token: number): Uint8Array | null {
    const bytes = this.#tokenizer.bytesOf(token);
    return bytes.length === 0 || this.#tokenizer.isSpecial(token) ? null : bytes;
  }

  #order(): OrderedTokens {
    const tokens = Array.from({ length: this.#tokenizer.vocabSize }, (_, id) => id)
      .flatMap((id) => {
        const bytes = this.bytesOf(id);
        return bytes ? [{ id, bytes }] : [];
      })
      .sort((a, b) => compare(a.bytes, b.bytes));
    const begins = new Int32Array(tokens.length + 1);
    for (const [i, { bytes }] of tokens.entries()) begins[i + 1] = begins[i]! + bytes.length;
    const all = new Uint8Array(begins[tokens.length]!);
    for (const [i, { bytes }] of tokens.entries()) all.set(bytes, begins[i]);
    return {
      ids: Int32Array.from(tokens, ({ id }) => id),
      common: Int32Array.from(tokens, ({ bytes }, i) =>
        i === 0 ? 0 : commonLength(tokens[i - 1]!.bytes, bytes),
      ),
      begins,
      bytes: all,
    };
  }
}

function compare(a: Uint8Array, b: Uint8Array): number {
  const at = commonLength(a, b);
  return (a[at] ?? -1) - (b[at] ?? -1);
}

function commonLength(a: Uint8Array, b: Uint8Array): number {
  let at = 0;
  while (at < a.length && a[at] === b[at]) at++;
  return at;
}
