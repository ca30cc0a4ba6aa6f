import type { Tokenizer } from '../text/tokenizer.ts';

/** A place in the tree of all tokens' bytes. */
export interface TokenTree {
  /** Tokens whose bytes end here. */
  tokens: number[];
  children: Map<number, TokenTree>;
}

type TokenBytes = Pick<Tokenizer, 'vocabSize' | 'bytesOf' | 'isSpecial'>;

/** The tokens that a grammar may write: all but control tokens that are no text. */
export class Vocabulary {
  /** Words of a mask of all tokens. */
  readonly maskWords: number;
  readonly #tokenizer: TokenBytes;
  #root: TokenTree | null = null;

  constructor(tokenizer: TokenBytes) {
    this.#tokenizer = tokenizer;
    this.maskWords = Math.ceil(tokenizer.vocabSize / 32);
  }

  /** Made when first asked for: a large vocabulary's takes time and memory. */
  get root(): TokenTree {
    this.#root ??= this.#treeOfAll();
    return this.#root;
  }

  /** Null for a token that is no text. */
  bytesOf(token: number): Uint8Array | null {
    const bytes = this.#tokenizer.bytesOf(token);
    return bytes.length === 0 || this.#tokenizer.isSpecial(token) ? null : bytes;
  }

  #treeOfAll(): TokenTree {
    const root: TokenTree = { tokens: [], children: new Map() };
    for (let id = 0; id < this.#tokenizer.vocabSize; id++) {
      const bytes = this.bytesOf(id);
      if (bytes === null) continue;
      let place = root;
      for (const byte of bytes) {
        const next = place.children.get(byte) ?? { tokens: [], children: new Map() };
        place.children.set(byte, next);
        place = next;
      }
      place.tokens.push(id);
    }
    return root;
  }
}
