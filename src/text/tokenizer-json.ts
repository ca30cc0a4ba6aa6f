import { byteToChar } from './byte-alphabet.ts';

/**
 * The part of Hugging Face's `tokenizer.json` that a byte-level BPE of the Qwen2 kind uses. What
 * we write has exactly these fields; what we read may have more.
 */
export interface TokenizerJson {
  version: string;
  truncation: null;
  padding: null;
  added_tokens: AddedTokenJson[];
  normalizer: { type: 'NFC' };
  pre_tokenizer: {
    type: 'Sequence';
    pretokenizers: [
      { type: 'Split'; pattern: { Regex: string }; behavior: 'Isolated'; invert: false },
      ByteLevelJson,
    ];
  };
  post_processor: ByteLevelJson;
  decoder: ByteLevelJson;
  model: {
    type: 'BPE';
    dropout: null;
    unk_token: null;
    continuing_subword_prefix: string;
    end_of_word_suffix: string;
    fuse_unk: boolean;
    byte_fallback: boolean;
    ignore_merges: boolean;
    vocab: Record<string, number>;
    merges: [string, string][];
  };
}

export interface AddedTokenJson {
  id: number;
  content: string;
  single_word: boolean;
  lstrip: boolean;
  rstrip: boolean;
  normalized: boolean;
  special: boolean;
}

interface ByteLevelJson {
  type: 'ByteLevel';
  add_prefix_space: boolean;
  trim_offsets: boolean;
  use_regex: boolean;
}

/** A token that is matched in text before the BPE runs, and whether decoding may skip it. */
export interface AddedToken {
  content: string;
  /** Structure of the chat, never shown; tags of thinking and tools are text that parsers read. */
  special: boolean;
}

/** Ends a turn; the eos token of the chat model. */
export const END_OF_TURN = '<|im_end|>';
/** Fills the rows of a batch that are shorter than its longest. */
export const PADDING = '<|endoftext|>';

/** The control tokens that MiMo's text pipeline uses, in the order of their ids in Qwen's vocabulary. */
export const MIMO_ADDED_TOKENS: readonly AddedToken[] = [
  { content: PADDING, special: true },
  { content: '<|im_start|>', special: true },
  { content: END_OF_TURN, special: true },
  { content: '<tool_call>', special: false },
  { content: '</tool_call>', special: false },
  { content: '<tool_response>', special: false },
  { content: '</tool_response>', special: false },
  { content: '<think>', special: false },
  { content: '</think>', special: false },
];

/**
 * Qwen2's pre-tokeniser. Unlike GPT-4's, from which it comes, it leaves each digit alone (`\p{N}`
 * where GPT-4 has `\p{N}{1,3}`), which is what lets a small model learn arithmetic.
 */
const QWEN2_SPLIT =
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)" +
  '|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+' +
  '|\\p{N}' +
  '| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*' +
  '|\\s*[\\r\\n]+' +
  '|\\s+(?!\\S)' +
  '|\\s+';

/** The base vocabulary: every byte, in the order of its character, as in GPT-2's and Qwen's files. */
export const BYTE_TOKENS: readonly string[] = [...byteToChar].sort((a, b) => (a < b ? -1 : 1));

/**
 * A whole `tokenizer.json`. Ids: the 256 bytes, then one per merge in the order learnt, then
 * `addedTokens`.
 */
export function tokenizerJson(
  merges: [string, string][],
  addedTokens: readonly AddedToken[],
): TokenizerJson {
  const tokens = [...BYTE_TOKENS, ...merges.map(([left, right]) => left + right)];
  const byteLevel: ByteLevelJson = {
    type: 'ByteLevel',
    add_prefix_space: false,
    trim_offsets: false,
    use_regex: false,
  };
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: addedTokens.map(({ content, special }, i) => ({
      id: tokens.length + i,
      content,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special,
    })),
    normalizer: { type: 'NFC' },
    pre_tokenizer: {
      type: 'Sequence',
      pretokenizers: [
        { type: 'Split', pattern: { Regex: QWEN2_SPLIT }, behavior: 'Isolated', invert: false },
        byteLevel,
      ],
    },
    post_processor: byteLevel,
    decoder: byteLevel,
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: '',
      end_of_word_suffix: '',
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: false,
      vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
      merges,
    },
  };
}

/**
 * The `tokenizer_config.json` that goes with it: what transformers needs to load the pair, and the
 * chat template for readers that do not look for `chat_template.jinja`.
 */
export function tokenizerConfigJson(chatTemplate: string, maxPositions: number): object {
  return {
    tokenizer_class: 'PreTrainedTokenizerFast',
    bos_token: null,
    eos_token: END_OF_TURN,
    pad_token: PADDING,
    unk_token: null,
    add_bos_token: false,
    clean_up_tokenization_spaces: false,
    model_max_length: maxPositions,
    chat_template: chatTemplate,
  };
}
