import fc from 'fast-check';
import { expect, test } from 'vitest';
import { UserError } from '../errors.ts';
import { trainBpe } from './bpe-trainer.ts';
import { Tokenizer } from './tokenizer.ts';

const BYTES = 256;
const train = (texts: string[], merges: number) =>
  trainBpe(texts, { vocabSize: BYTES + merges, addedTokens: [] }).model.merges;

test('merges the most frequent pair first, over words and their counts', () => {
  // "low" ×5, "lower" ×2, "newest" ×6, "widest" ×3: the example of Sennrich et al. 2016.
  const words = ['low', 'lower', 'newest', 'widest'];
  const texts = [5, 2, 6, 3].flatMap((count, i) => Array<string>(count).fill(words[i]!));
  expect(train(texts, 4)).toEqual([
    ['e', 's'],
    ['es', 't'],
    ['l', 'o'],
    ['lo', 'w'],
  ]);
});

test('breaks ties by the lower ids, whatever the order of the texts', () => {
  const texts = ['xy', 'ab', 'xy', 'ab', 'ba', 'ba'];
  expect(train(texts, 3)).toEqual([
    ['a', 'b'],
    ['b', 'a'],
    ['x', 'y'],
  ]);
  expect(train(texts.toReversed(), 3)).toEqual(train(texts, 3));
});

test('merges runs of one letter left to right', () => {
  expect(train(['aaaaa', 'aaaaa'], 3)).toEqual([
    ['a', 'a'],
    ['aa', 'a'],
    ['aa', 'aaa'],
  ]);
});

test('never merges across words, digits or added tokens', () => {
  const { model } = trainBpe(Array<string>(9).fill('12 12<|im_end|>12'), { vocabSize: 400 });
  expect(model.merges).toEqual([]);
});

test('stops when no pair occurs twice', () => {
  expect(train(['abcd'], 10)).toEqual([]);
});

test('gives the same merges as recounting everything for each merge', () => {
  const word = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), minLength: 1, maxLength: 8 });
  fc.assert(
    fc.property(fc.array(word, { maxLength: 12 }), fc.nat(10), (words, merges) => {
      expect(train(words, merges)).toEqual(trainByRecounting(words, merges));
    }),
  );
});

test('writes a standard file: bytes, merges, then added tokens as Qwen marks them', () => {
  const progress: number[] = [];
  const json = trainBpe(Array<string>(4).fill('hello hello 你好'), {
    vocabSize: BYTES + 9 + 4,
    onProgress: (done, total) => progress.push(done / total),
  });
  expect(progress).toEqual([0.25, 0.5, 0.75, 1]);
  expect(Object.keys(json.model.vocab)).toHaveLength(BYTES + 4);
  expect(json.model.vocab['!']).toBe(0);
  expect(json.added_tokens.map(({ id, content, special }) => [id, content, special])).toEqual([
    [260, '<|endoftext|>', true],
    [261, '<|im_start|>', true],
    [262, '<|im_end|>', true],
    [263, '<tool_call>', false],
    [264, '</tool_call>', false],
    [265, '<tool_response>', false],
    [266, '</tool_response>', false],
    [267, '<think>', false],
    [268, '</think>', false],
  ]);
  expect(json.pre_tokenizer.pretokenizers[0].pattern.Regex).toBe(
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
  );
  expect(new Tokenizer(JSON.parse(JSON.stringify(json))).vocabSize).toBe(269);
});

test('says when the vocabulary is too small', () => {
  expect(() => trainBpe([], { vocabSize: 260 })).toThrow(UserError);
});

/** The definition, without an index: count all pairs, merge the first of the most frequent, repeat. */
function trainByRecounting(words: string[], merges: number): [string, string][] {
  const ids: string[] = ['a', 'b', 'c'];
  const learnt: [string, string][] = [];
  let split = words.map((word) => Array.from(word, (char) => ids.indexOf(char)));
  while (learnt.length < merges) {
    const counts = new Map<string, number>();
    for (const word of split) {
      for (let i = 1; i < word.length; i++) {
        const pair = `${word[i - 1]} ${word[i]}`;
        counts.set(pair, (counts.get(pair) ?? 0) + 1);
      }
    }
    const pairs = [...counts].map(
      ([pair, count]) => [...pair.split(' ').map(Number), count] as [number, number, number],
    );
    const [left, right, count] = pairs.sort(
      (a, b) => b[2] - a[2] || a[0] - b[0] || a[1] - b[1],
    )[0] ?? [0, 0, 0];
    if (count < 2) break;
    learnt.push([ids[left]!, ids[right]!]);
    ids.push(ids[left]! + ids[right]!);
    split = split.map((word) => {
      const merged = [...word];
      for (let i = 0; i + 1 < merged.length; i++) {
        if (merged[i] === left && merged[i + 1] === right) merged.splice(i, 2, ids.length - 1);
      }
      return merged;
    });
  }
  return learnt;
}
