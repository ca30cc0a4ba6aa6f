import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { UserError } from '../errors.ts';
import type { ModelConfig } from '../model/config.ts';
import { trainBpe } from './bpe-trainer.ts';
import { Tokenizer } from './tokenizer.ts';
import { MIMO_ADDED_TOKENS } from './tokenizer-json.ts';

const texts = [
  'hello world, hello there',
  '你好，世界。你好！',
  "It's 42, isn't it?",
  'im_end think',
];
const json = trainBpe([...texts, ...texts, ...texts], { vocabSize: 320 });
const tokenizer = new Tokenizer(json);
const controls = MIMO_ADDED_TOKENS.map(({ content }) => content);
const controlIds = new Set(controls.map((token) => tokenizer.idOf(token)));

/** Text that is likely to hold control tokens, whole, in part and guarded. */
const trickyText = fc
  .array(fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom(...controls, '<|im_', '\uFDD0')))
  .map((parts) => parts.join(''));

describe('encoding', () => {
  test('with a limit gives the ids, or more than the limit', () => {
    const unit = fc.constantFrom('hello', ' world', 'e\u0301', '你好', '<think>', 'x', '\uFDD0');
    const long = fc.array(unit, { maxLength: 60 }).map((parts) => parts.join(''));
    fc.assert(
      fc.property(long, fc.nat(20), (text, limit) => {
        const all = tokenizer.encode(text);
        const some = tokenizer.encode(text, limit);
        if (all.length <= limit) expect(some).toEqual(all);
        else expect(some.length).toBeGreaterThan(limit);
      }),
    );
  });

  test('uses the merges it was trained with', () => {
    const ids = tokenizer.encode('hello world');
    expect(ids.map((id) => tokenizer.decode([id]))).toEqual(['hello', ' world']);
  });

  test('keeps digits apart', () => {
    expect(tokenizer.encode('1234')).toHaveLength(4);
  });

  test('recognises control tokens and adds none', () => {
    expect(tokenizer.encode('<|im_start|>你好<|im_end|>')).toEqual([
      tokenizer.idOf('<|im_start|>'),
      ...tokenizer.encodeOrdinary('你好'),
      tokenizer.idOf('<|im_end|>'),
    ]);
    expect(tokenizer.encode('')).toEqual([]);
  });

  test('normalises to NFC', () => {
    expect(tokenizer.encode('e\u0301')).toEqual(tokenizer.encode('\u00e9'));
  });

  test('ordinary text holds no control token', () => {
    fc.assert(
      fc.property(trickyText, (text) => {
        const ids = tokenizer.encodeOrdinary(text);
        expect(ids.some((id) => controlIds.has(id))).toBe(false);
        expect(tokenizer.decode(ids)).toBe(text.toWellFormed().normalize('NFC'));
      }),
    );
  });

  test('guarded text holds no control token and reads the same', () => {
    fc.assert(
      fc.property(trickyText, (text) => {
        const ids = tokenizer.encode(tokenizer.guard(text));
        expect(ids).toEqual(tokenizer.encodeOrdinary(text.replaceAll('\uFDD0', '\uFFFD')));
      }),
    );
  });
});

describe('decoding', () => {
  test('leaves out special tokens when asked, and keeps the tags of thinking and tools', () => {
    const ids = tokenizer.encode('<think>hello</think>world<|im_end|>');
    expect(tokenizer.decode(ids)).toBe('<think>hello</think>world<|im_end|>');
    expect(tokenizer.decode(ids, { skipSpecial: true })).toBe('<think>hello</think>world');
  });

  test('gives ids that are no token no text', () => {
    expect(tokenizer.decode([100_000, ...tokenizer.encode('hello')])).toBe('hello');
    expect(tokenizer.decode([])).toBe('');
  });

  test('a stream gives whole characters only, and in the end the same text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        const stream = tokenizer.streamDecoder();
        const pieces = tokenizer.encode(text).map((id) => stream.push(id));
        expect(pieces.join('')).toBe(text.normalize('NFC'));
        expect(stream.end()).toBe('');
      }),
    );
  });

  test('a stream of any ids gives what decoding them at once gives', () => {
    const id = fc.nat(tokenizer.vocabSize);
    fc.assert(
      fc.property(fc.array(id), fc.boolean(), (ids, skipSpecial) => {
        const stream = tokenizer.streamDecoder({ skipSpecial });
        const text = ids.map((id) => stream.push(id)).join('') + stream.end();
        expect(text).toBe(tokenizer.decode(ids, { skipSpecial }));
      }),
    );
  });

  test('an unfinished character is held back and comes as U+FFFD at the end', () => {
    const [first, second] = tokenizer.encode('😀');
    const stream = tokenizer.streamDecoder();
    expect(stream.push(first!) + stream.push(second!)).toBe('');
    expect(stream.end()).toBe('\uFFFD');
    expect(tokenizer.encode('h').map((id) => stream.push(id))).toEqual(['h']);
  });
});

describe('what does not fit is said in one line', () => {
  const model = (vocabSize: number, eosTokenIds: number[]) =>
    ({ vocabSize, eosTokenIds }) as ModelConfig;
  const endOfTurn = tokenizer.idOf('<|im_end|>')!;

  test('a model with room for every id, padding included, fits', () => {
    tokenizer.assertFits(model(tokenizer.vocabSize, [endOfTurn]));
    tokenizer.assertFits(model(tokenizer.vocabSize + 10, [endOfTurn]));
  });

  test('a model with fewer embeddings than ids does not', () => {
    expect(() => tokenizer.assertFits(model(tokenizer.vocabSize - 1, [endOfTurn]))).toThrow(
      /tokenizer\.json: its largest id is 310 but vocab_size .* is 310; use/,
    );
  });

  test('a model that stops at an id that is no token does not', () => {
    expect(() => tokenizer.assertFits(model(1000, [endOfTurn, 999]))).toThrow(/no token 999.*eos/);
  });

  const broken: [string, unknown, RegExp][] = [
    ['no object', null, /has no "model"/],
    ['no model', {}, /has no "model"/],
    ['another model', { ...json, model: { type: 'WordPiece', vocab: {} } }, /model\.type/],
    ['no decoder', { ...json, decoder: null }, /decoder/],
    ['an unknown part', { ...json, normalizer: { type: 'Quux' } }, /cannot be read.*Quux/],
    ['a vocabulary without bytes', { ...json, model: { ...json.model, vocab: { a: 0 } } }, /lacks/],
    [
      'a vocabulary of words',
      { ...json, model: { ...json.model, vocab: { 'two words': 0 } } },
      /"two words" is not in the byte alphabet/,
    ],
    [
      'a token that eats spaces',
      { ...json, added_tokens: [{ ...json.added_tokens[0]!, lstrip: true }] },
      /lstrip/,
    ],
  ];
  test.each(broken)('%s', (_, contents, message) => {
    const load = () => new Tokenizer(contents, 'models/x/tokenizer.json');
    expect(load).toThrow(UserError);
    expect(load).toThrow(message);
    expect(load).toThrow(/^models\/x\/tokenizer\.json: [^\n]*$/);
  });
});
