import { describe, expect, test } from 'vitest';
import { charactersOf, complement, utf8Forms } from '../../src/grammar/character-set.ts';
import { regex } from '../../src/grammar/regex.ts';
import { accepts, startOf, walk } from './walk.ts';

const patterns = [
  'abc',
  'a*b+c?',
  '(foo|bar)+',
  '[a-z]+@[a-z]{2,5}\\.(com|org)',
  '\\d{3}-\\d{4}',
  '[^x]{0,4}x',
  '(?:a|b|ab){2,3}',
  '\\w+\\s\\w+',
  '.{2}',
  '[你-好]+|é?',
  '\\u00e9\\u{1f600}',
  '(?<year>[12]\\d{3})(-(0[1-9]|1[0-2]))?',
  '[\\d.,-]+',
  '^yes|no$',
  '',
];

const texts = [
  ...['', 'a', 'abc', 'aab', 'b', 'bc', 'foobar', 'foofo', 'a@bc.com', 'me@xyzzyx.org'],
  ...[
    '555-1234',
    '55-1234',
    'x',
    'ax',
    'xx',
    '你x',
    'abab',
    'aba',
    'aaa',
    'a b',
    'a  b',
    'é',
    '你好',
  ],
  ...['\n\n', 'ab', 'é😀', '1999-12', '2000', '1999-13', '1.5,-2', 'yes', 'no', 'yesno'],
];

describe('a pattern', () => {
  test.each(patterns)('/%s/ accepts what JavaScript does', (pattern) => {
    const whole = startOf(regex(pattern));
    const anywhere = startOf(regex(pattern, { anywhere: true }));
    for (const text of texts) {
      // Alternatives with a bound of their own are as the whole here.
      expect(accepts(whole, text), text).toBe(new RegExp(`^(?:${pattern})$`, 'u').test(text));
      expect(accepts(anywhere, text), text).toBe(new RegExp(pattern, 'u').test(text));
    }
  });

  test.each(patterns)('/%s/ matches all that is written by it', (pattern) => {
    const start = startOf(regex(pattern));
    const found = new RegExp(`^(?:${pattern})$`, 'u');
    let ended = 0;
    for (let seed = 0; seed < 20; seed++) {
      const text = walk(start, seed);
      if (text === null) continue;
      ended++;
      expect(text).toMatch(found);
    }
    expect(ended).toBeGreaterThan(0);
  });

  test.each([
    ['(a', 'a "(" is not closed'],
    ['a)', '")" closes no group'],
    ['[a', 'a "[" is not closed'],
    ['*', '"*" has nothing to repeat'],
    ['a{3,1}', 'wrong order'],
    ['a{99999}', 'more than 10000 times'],
    ['(?=a)', 'only groups'],
    ['a\\b', '"\\b" is not supported'],
    ['(a)\\1', '"\\1" is not supported'],
    ['[z-a]', 'a range is wrong'],
    ['\\ud800', 'is no character'],
    ['a$b', '"$" can only stand'],
    [`${'('.repeat(200)}`, 'nests deeper'],
  ])('%s is refused', (pattern, message) => {
    expect(() => regex(pattern)).toThrow(message);
  });

  test('of too many states, or of no text, is refused', () => {
    expect(() => startOf(regex('((a{100}){100}){100}'))).toThrow('it is too large');
    expect(() => startOf(regex('[^\\d\\D]'))).toThrow('no text fits');
  });
});

test('the forms of UTF-8 are those of the characters, and no others', () => {
  const sets = [
    charactersOf('a'),
    charactersOf('aé你😀'),
    complement(charactersOf('é你😀')),
    [[0x7f, 0x10000]],
  ];
  const codes = [
    0, 0x61, 0x7f, 0x80, 0xe9, 0x7ff, 0x800, 0x4f60, 0xd7ff, 0xe000, 0xffff, 0x10000, 0x1f600,
    0x10ffff,
  ];
  for (const set of sets as [number, number][][]) {
    const forms = utf8Forms(set);
    for (const code of codes) {
      const bytes = new TextEncoder().encode(String.fromCodePoint(code));
      const isForm = forms.some(
        (form) =>
          form.length === bytes.length &&
          form.every(([low, high], i) => low <= bytes[i]! && bytes[i]! <= high),
      );
      expect(isForm, code.toString(16)).toBe(
        set.some(([low, high]) => low <= code && code <= high),
      );
    }
  }
});
