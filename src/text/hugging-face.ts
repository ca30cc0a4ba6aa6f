import { Tokenizer } from '@huggingface/tokenizers';

/**
 * What we use of `@huggingface/tokenizers`. Its own declarations import one another without file
 * extensions, which module resolution for Node reads as `any`, so the types are said here.
 */
export interface HuggingFaceTokenizer {
  readonly normalizer: { normalize(text: string): string } | null;
  /** Cuts text into words, written in the byte alphabet where the file says ByteLevel. */
  readonly pre_tokenizer: { pre_tokenize(text: string): string[] } | null;
  readonly model: {
    /** The tokens of each word, one after another. */
    encode(words: string[]): string[];
    readonly tokens_to_ids: ReadonlyMap<string, number>;
  };
  readonly decoder: object | null;
  get_added_tokens_decoder(): Map<number, LoadedAddedToken>;
}

export interface LoadedAddedToken {
  id: number;
  content: string;
  single_word: boolean;
  lstrip: boolean;
  rstrip: boolean;
  special: boolean;
}

/** @throws whatever the library throws on a file it cannot read. */
export function loadHuggingFaceTokenizer(json: object): HuggingFaceTokenizer {
  // Every part but the model may be left out of the file; the library wants to see them.
  const absent = { normalizer: null, pre_tokenizer: null, post_processor: null, decoder: null };
  return new Tokenizer({ added_tokens: [], ...absent, ...json }, {}) as HuggingFaceTokenizer;
}
