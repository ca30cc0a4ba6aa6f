import { UserError } from '../errors.ts';
import type { ModelConfig } from '../model/config.ts';
import { byteToChar, tokenToBytes } from './byte-alphabet.ts';
import { controlPattern, guardText, removeGuards } from './control-tokens.ts';
import { type HuggingFaceTokenizer, loadHuggingFaceTokenizer } from './hugging-face.ts';
import { LongWords } from './long-words.ts';
import { StreamDecoder } from './stream-decoder.ts';

export interface DecodeOptions {
  /** Leave out the tokens marked special, such as `<|im_end|>`; tags of thinking and tools stay. */
  skipSpecial?: boolean;
}

/** Words whose ids are remembered; past this the cache starts again. */
const CACHED_WORDS = 1 << 16;
/** Letters of words that are neither remembered nor left to the library. */
const LONG_WORD = 256;
const NO_BYTES = new Uint8Array(0);

/**
 * A byte-level BPE tokenizer read from Hugging Face's `tokenizer.json`. Normalising, splitting into
 * words and merging are `@huggingface/tokenizers`'; control tokens and decoding are handled here,
 * so that text from outside cannot forge control tokens and decoding can go token by token.
 */
export class Tokenizer {
  /** One more than the largest id. */
  readonly vocabSize: number;
  /** Where it came from, for messages. */
  readonly #origin: string;
  readonly #huggingFace: HuggingFaceTokenizer;
  readonly #controlIds: ReadonlyMap<string, number>;
  readonly #controlPattern: RegExp;
  readonly #specialIds: ReadonlySet<number>;
  readonly #bytes: readonly Uint8Array[];
  /** Bytes of the longest token. */
  readonly #longestToken: number;
  /** Cuts text into words as they are; undefined where only the library's own way will do. */
  readonly #splitter: HuggingFaceTokenizer['pre_tokenizer'] | undefined;
  readonly #wordIds = new Map<string, number[]>();
  readonly #longWords: LongWords | null;

  /**
   * @param json the contents of a `tokenizer.json`, parsed.
   * @param origin what to call that file in messages.
   * @throws {UserError} if it is not a byte-level BPE tokenizer.
   */
  constructor(json: unknown, origin = 'tokenizer.json') {
    this.#origin = origin;
    this.#huggingFace = load(json, origin);
    this.#splitter = splitterOf(json as { pre_tokenizer?: unknown });
    this.#longWords = longWordsOf(json as { model: Record<string, unknown> }, this.#huggingFace);
    const added = [...this.#huggingFace.get_added_tokens_decoder().values()];
    const trimming = added.find((token) => token.lstrip || token.rstrip || token.single_word);
    if (trimming !== undefined) {
      throw new UserError(
        `${origin}: added_tokens: ${trimming.content} sets lstrip, rstrip or single_word, which is not supported; set them to false`,
      );
    }
    this.#controlIds = new Map(added.map(({ content, id }) => [content, id]));
    this.#controlPattern = controlPattern([...this.#controlIds.keys()]);
    this.#specialIds = new Set(added.filter(({ special }) => special).map(({ id }) => id));
    this.#bytes = this.#readVocabulary();
    this.vocabSize = this.#bytes.length;
    this.#longestToken = this.#bytes.reduce((most, { length }) => Math.max(most, length), 1);
  }

  /**
   * Ids of `text`, in which control tokens are recognised; none are added.
   *
   * @param limit the work may end once there are more ids than this, for who has no use for them all.
   */
  encode(text: string, limit = Number.POSITIVE_INFINITY): number[] {
    // More than so many tokens stand for, even where composing characters (NFC) halves the text.
    const part = text.slice(0, 2 * (limit + 1) * this.#longestToken);
    const ids: number[] = [];
    // The captured control tokens are the odd sections.
    for (const [i, section] of part.split(this.#controlPattern).entries()) {
      if (i % 2 === 1) ids.push(this.#controlIds.get(section)!);
      else if (section !== '') this.#encodeInto(ids, removeGuards(section), limit);
      if (ids.length > limit) return ids;
    }
    return part.length === text.length ? ids : this.encode(text);
  }

  /** Ids of `text` as plain text: a control token spelled out in it stays a spelling. */
  encodeOrdinary(text: string): number[] {
    const ids: number[] = [];
    this.#encodeInto(ids, text);
    return ids;
  }

  /**
   * `text` from outside, made safe to put among control tokens: `encode` will see the same text but
   * recognise no control token in it. For rendering chats; `encodeOrdinary` needs no guard.
   */
  guard(text: string): string {
    return guardText(text, this.#controlPattern);
  }

  /** The text of `ids`; ids of no token, such as a vocabulary's padding, have none. */
  decode(ids: Iterable<number>, options: DecodeOptions = {}): string {
    const decoder = this.streamDecoder(options);
    let text = '';
    for (const id of ids) text += decoder.push(id);
    return text + decoder.end();
  }

  /** Decodes one id at a time, to the same text as `decode`. */
  streamDecoder({ skipSpecial = false }: DecodeOptions = {}): StreamDecoder {
    return new StreamDecoder((id) =>
      skipSpecial && this.#specialIds.has(id) ? NO_BYTES : this.bytesOf(id),
    );
  }

  /** The UTF-8 bytes of a token; none for an id of no token. */
  bytesOf(id: number): Uint8Array {
    return this.#bytes[id] ?? NO_BYTES;
  }

  /** Whether a token is marked special: a control token that is no text. */
  isSpecial(id: number): boolean {
    return this.#specialIds.has(id);
  }

  /** The id of a token as the vocabulary spells it (control tokens as they are). */
  idOf(token: string): number | undefined {
    return this.#huggingFace.model.tokens_to_ids.get(token);
  }

  /**
   * Checks that a model can read every id and stop at ids that the tokenizer can write.
   *
   * @throws {UserError} saying which does not fit.
   */
  assertFits(config: ModelConfig): void {
    if (this.vocabSize > config.vocabSize) {
      throw new UserError(
        `${this.#origin}: its largest id is ${this.vocabSize - 1} but vocab_size in the model's config.json is ${config.vocabSize}; use the tokenizer that the model was trained with`,
      );
    }
    const unknown = config.eosTokenIds.find((id) => this.#bytes[id] === undefined);
    if (unknown !== undefined) {
      throw new UserError(
        `${this.#origin}: has no token ${unknown}, which is eos_token_id in the model's config.json; use the tokenizer that the model was trained with`,
      );
    }
  }

  #encodeInto(ids: number[], text: string, limit = Number.POSITIVE_INFINITY): void {
    const { normalizer, pre_tokenizer } = this.#huggingFace;
    const normal = normalizer === null ? text : normalizer.normalize(text);
    for (const word of (this.#splitter ?? pre_tokenizer!).pre_tokenize(normal)) {
      for (const id of this.#idsOf(word)) ids.push(id);
      if (ids.length > limit) return;
    }
  }

  #idsOf(word: string): readonly number[] {
    const known = this.#wordIds.get(word);
    if (known !== undefined) return known;
    const { model } = this.#huggingFace;
    const written = this.#splitter === undefined ? word : inByteAlphabet(word);
    if (word.length > LONG_WORD && this.#longWords !== null) return this.#longWords.encode(written);
    const ids = model.encode([written]).map((token) => model.tokens_to_ids.get(token)!);
    if (word.length > LONG_WORD) return ids;
    if (this.#wordIds.size === CACHED_WORDS) this.#wordIds.clear();
    this.#wordIds.set(word, ids);
    return ids;
  }

  /** The bytes of each id. */
  #readVocabulary(): Uint8Array[] {
    const bytes: Uint8Array[] = [];
    const utf8 = new TextEncoder();
    for (const [token, id] of this.#huggingFace.model.tokens_to_ids) {
      const known = this.#controlIds.has(token) ? utf8.encode(token) : tokenToBytes(token);
      if (known === undefined) {
        throw new UserError(
          `${this.#origin}: model.vocab: "${token}" is not in the byte alphabet; only byte-level BPE tokenizers are supported`,
        );
      }
      bytes[id] = known;
    }
    const missing = byteToChar.findIndex((char) => this.idOf(char) === undefined);
    if (missing >= 0) {
      throw new UserError(
        `${this.#origin}: model.vocab: lacks "${byteToChar[missing]}", which stands for byte ${missing}; use a tokenizer.json with all 256 bytes`,
      );
    }
    return bytes;
  }
}

/**
 * The pre-tokeniser without its last step, where that is to write words in the byte alphabet: then
 * only words that are not in the cache have to be written so.
 */
function splitterOf(json: {
  pre_tokenizer?: unknown;
}): HuggingFaceTokenizer['pre_tokenizer'] | undefined {
  const { type, pretokenizers } = (json.pre_tokenizer ?? {}) as Record<string, unknown>;
  if (type !== 'Sequence' || !Array.isArray(pretokenizers) || pretokenizers.length < 2) return;
  const { type: lastType, add_prefix_space, use_regex } = pretokenizers.at(-1);
  if (lastType !== 'ByteLevel' || add_prefix_space !== false || use_regex !== false) return;
  const before = { type: 'Sequence', pretokenizers: pretokenizers.slice(0, -1) };
  return loadHuggingFaceTokenizer({ ...json, pre_tokenizer: before }).pre_tokenizer ?? undefined;
}

/** Merges as everyone makes them; `null` where a file asks for more. */
function longWordsOf(
  { model }: { model: Record<string, unknown> },
  { model: { tokens_to_ids } }: HuggingFaceTokenizer,
): LongWords | null {
  if (model.end_of_word_suffix || model.continuing_subword_suffix) return null;
  return LongWords.of(model.merges as string[], tokens_to_ids);
}

const utf8 = new TextEncoder();

function inByteAlphabet(word: string): string {
  let written = '';
  for (const byte of utf8.encode(word)) written += byteToChar[byte];
  return written;
}

function load(json: unknown, origin: string): HuggingFaceTokenizer {
  if (typeof json !== 'object' || json === null || !('model' in json)) {
    throw new UserError(`${origin}: has no "model"; it must be a Hugging Face tokenizer.json`);
  }
  let loaded: HuggingFaceTokenizer;
  try {
    loaded = loadHuggingFaceTokenizer(json);
  } catch (error) {
    throw new UserError(`${origin}: cannot be read as a Hugging Face tokenizer.json: ${error}`, {
      cause: error,
    });
  }
  const { type } = json.model as { type?: unknown };
  if (type !== 'BPE' || loaded.pre_tokenizer === null || loaded.decoder === null) {
    throw new UserError(
      `${origin}: model.type is ${JSON.stringify(type)}; only byte-level BPE with a pre_tokenizer and a decoder is supported`,
    );
  }
  return loaded;
}
