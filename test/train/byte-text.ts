import { MIMOFLASH_TEMPLATE } from '../../src/tasks/index.ts';
import type { TextFiles } from '../../src/text/text-files.ts';
import { Tokenizer } from '../../src/text/tokenizer.ts';
import { MIMO_ADDED_TOKENS, tokenizerJson } from '../../src/text/tokenizer-json.ts';

/** A tokenizer of bytes and MiMo's control tokens, 265 entries in all. */
export function byteText(): TextFiles {
  return {
    tokenizer: new Tokenizer(tokenizerJson([], MIMO_ADDED_TOKENS)),
    chatTemplate: MIMOFLASH_TEMPLATE,
  };
}
