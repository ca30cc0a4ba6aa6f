import fc from 'fast-check';
import { expect, test } from 'vitest';
import { trainBpe } from './bpe-trainer.ts';
import { byteToChar } from './byte-alphabet.ts';
import { loadHuggingFaceTokenizer } from './hugging-face.ts';
import { LongWords } from './long-words.ts';
import { Tokenizer } from './tokenizer.ts';

const texts = ['abab aab', 'aaaa', '你好你好吗', 'banana bandana', 'xyxyxyx'];
const json = trainBpe([...texts, ...texts], { vocabSize: 310 });
const { merges } = json.model;
const { model } = loadHuggingFaceTokenizer(json);
const words = LongWords.of(merges, model.tokens_to_ids)!;

const written = (word: string) =>
  Array.from(new TextEncoder().encode(word), (byte) => byteToChar[byte]).join('');

test('a word has the tokens that the library gives it', () => {
  const unit = fc.constantFrom('a', 'b', 'n', 'd', 'x', 'y', '你', '好', '吗', '🙂');
  fc.assert(
    fc.property(fc.string({ unit, minLength: 1, maxLength: 300 }), (word) => {
      const ids = model.encode([written(word)]).map((token) => model.tokens_to_ids.get(token));
      expect(words.encode(written(word))).toEqual(ids);
    }),
    { numRuns: 300 },
  );
});

test('the tokenizer gives the same with merges written either way', () => {
  const asText = {
    ...json,
    model: { ...json.model, merges: merges.map((pair) => pair.join(' ')) },
  };
  const word = 'bananaabab你好'.repeat(500);
  const ids = model.encode([written(word)]).map((token) => model.tokens_to_ids.get(token));
  for (const file of [json, asText]) expect(new Tokenizer(file).encode(word)).toEqual(ids);
});

test('merges that make a token twice, or after it was needed, are left to the library', () => {
  const ids = new Map(['a', 'b', 'c', 'ab', 'bc', 'abc'].map((token, id) => [token, id]));
  const of = (...merges: string[]) => LongWords.of(merges, ids);
  expect(of('a b', 'ab c')).not.toBeNull();
  expect(of('a b', 'b c', 'ab c', 'a bc')).toBeNull();
  expect(of('ab c', 'a b')).toBeNull();
  expect(of('b b')).toBeNull();
});
