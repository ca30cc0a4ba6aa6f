/**
 * Learns a byte-level BPE vocabulary (Sennrich et al. 2016, algorithm 1, over bytes) and gives it
 * as a standard `tokenizer.json`.
 *
 * The text is cut into words by the same normaliser and pre-tokeniser that will encode it, so only
 * the distinct words and their counts are kept. A merge changes only the words that hold its pair,
 * which an index finds; the most frequent pair comes from a heap whose entries are corrected when
 * they reach the top, since counts of old pairs only ever fall.
 */
import { UserError } from '../errors.ts';
import { controlPattern } from './control-tokens.ts';
import { Heap } from './heap.ts';
import { loadHuggingFaceTokenizer } from './hugging-face.ts';
import {
  type AddedToken,
  BYTE_TOKENS,
  MIMO_ADDED_TOKENS,
  type TokenizerJson,
  tokenizerJson,
} from './tokenizer-json.ts';

export interface BpeTrainerOptions {
  /** Entries wanted in all: 256 bytes, the merges, and the added tokens. */
  vocabSize: number;
  /** Tokens that are matched before the BPE and never learnt by it. */
  addedTokens?: readonly AddedToken[];
  /** Called after each merge with the number done and the number wanted. */
  onProgress?: (done: number, total: number) => void;
}

/**
 * Trains on `texts`. Equal counts are broken by the lower ids, so the result depends only on the
 * texts, not on their order. It has fewer than `vocabSize` entries if no pair occurs twice any more.
 *
 * @throws {UserError} if `vocabSize` cannot hold the bytes and the added tokens.
 */
export function trainBpe(texts: Iterable<string>, options: BpeTrainerOptions): TokenizerJson {
  const { vocabSize, addedTokens = MIMO_ADDED_TOKENS, onProgress } = options;
  const wanted = vocabSize - BYTE_TOKENS.length - addedTokens.length;
  if (wanted < 0) {
    throw new UserError(
      `a vocabulary of ${vocabSize} cannot hold 256 bytes and ${addedTokens.length} added tokens; ask for at least ${BYTE_TOKENS.length + addedTokens.length}`,
    );
  }
  const tokens = [...BYTE_TOKENS];
  const pairs = new PairCounts(countWords(texts, addedTokens), tokens);
  const merges: [string, string][] = [];
  while (merges.length < wanted) {
    const pair = pairs.popMostFrequent();
    if (pair === undefined) break;
    merges.push([tokens[pair.left]!, tokens[pair.right]!]);
    tokens.push(tokens[pair.left]! + tokens[pair.right]!);
    pairs.merge(pair, tokens.length - 1);
    onProgress?.(merges.length, wanted);
  }
  return tokenizerJson(merges, addedTokens);
}

/** How often each word of the byte alphabet occurs in `texts`. */
function countWords(
  texts: Iterable<string>,
  addedTokens: readonly AddedToken[],
): Map<string, number> {
  const { normalizer, pre_tokenizer } = loadHuggingFaceTokenizer(tokenizerJson([], []));
  const boundary = controlPattern(addedTokens.map(({ content }) => content));
  const counts = new Map<string, number>();
  for (const text of texts) {
    text.split(boundary).forEach((section, i) => {
      // The captured added tokens are the odd sections.
      if (i % 2 === 1) return;
      for (const word of pre_tokenizer!.pre_tokenize(normalizer!.normalize(section))) {
        counts.set(word, (counts.get(word) ?? 0) + 1);
      }
    });
  }
  return counts;
}

interface Pair {
  left: number;
  right: number;
  /** Occurrences over all the text; in a heap entry, when it was entered. */
  count: number;
}

/** The words as ids, and for each pair of neighbours its count and the words it may be in. */
class PairCounts {
  readonly #words: number[][] = [];
  readonly #wordCounts: number[] = [];
  readonly #pairs = new Map<number, { count: number; words: Set<number> }>();
  readonly #heap = new Heap<Pair>(
    (a, b) =>
      a.count > b.count ||
      (a.count === b.count && (a.left < b.left || (a.left === b.left && a.right < b.right))),
  );

  constructor(wordCounts: Map<string, number>, byteTokens: readonly string[]) {
    const ids = new Map(byteTokens.map((token, id) => [token, id]));
    for (const [word, count] of wordCounts) {
      const index = this.#words.length;
      this.#words.push(Array.from(word, (char) => ids.get(char)!));
      this.#wordCounts.push(count);
      this.#count(index, count);
    }
    for (const [key, { count }] of this.#pairs) this.#heap.push({ ...fromKey(key), count });
  }

  /** The most frequent pair, which must occur at least twice: a merge used once saves nothing. */
  popMostFrequent(): Pair | undefined {
    for (let top = this.#heap.pop(); top !== undefined; top = this.#heap.pop()) {
      const count = this.#pairs.get(toKey(top.left, top.right))?.count ?? 0;
      if (count < 2) continue;
      if (count === top.count) return top;
      this.#heap.push({ ...top, count });
    }
    return undefined;
  }

  /** Replaces `pair` by the token `merged` in every word, left to right. */
  merge(pair: Pair, merged: number): void {
    const key = toKey(pair.left, pair.right);
    const fresh = new Set<number>();
    for (const index of this.#pairs.get(key)!.words) {
      const before = this.#words[index]!;
      const after = replacePair(before, pair, merged);
      if (after.length === before.length) continue;
      this.#count(index, -this.#wordCounts[index]!);
      this.#words[index] = after;
      this.#count(index, this.#wordCounts[index]!);
      for (let i = 1; i < after.length; i++) {
        if (after[i - 1] === merged || after[i] === merged) {
          fresh.add(toKey(after[i - 1]!, after[i]!));
        }
      }
    }
    this.#pairs.delete(key);
    for (const key of fresh) {
      this.#heap.push({ ...fromKey(key), count: this.#pairs.get(key)!.count });
    }
  }

  /** Adds `amount` to each pair of the word; words stay listed under pairs they have lost. */
  #count(index: number, amount: number): void {
    const word = this.#words[index]!;
    for (let i = 1; i < word.length; i++) {
      const key = toKey(word[i - 1]!, word[i]!);
      let entry = this.#pairs.get(key);
      if (entry === undefined) {
        entry = { count: 0, words: new Set() };
        this.#pairs.set(key, entry);
      }
      entry.count += amount;
      if (amount > 0) entry.words.add(index);
    }
  }
}

function replacePair(word: number[], { left, right }: Pair, merged: number): number[] {
  const result: number[] = [];
  for (let i = 0; i < word.length; i++) {
    if (word[i] === left && word[i + 1] === right) {
      result.push(merged);
      i++;
    } else {
      result.push(word[i]!);
    }
  }
  return result;
}

/** Two ids in one exact double: ids stay far below 2^24. */
const ID_SPAN = 2 ** 24;
const toKey = (left: number, right: number) => left * ID_SPAN + right;
const fromKey = (key: number) => ({ left: Math.floor(key / ID_SPAN), right: key % ID_SPAN });
