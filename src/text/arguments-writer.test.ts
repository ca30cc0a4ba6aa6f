import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ArgumentsWriter } from './arguments-writer.ts';
import { coerceArgument } from './tool-arguments.ts';

const properties = {
  text: { type: 'string' },
  number: { type: 'number' },
  either: { type: ['string', 'integer'] },
  object: { type: 'object' },
};

function write(values: readonly (readonly [key: string, pieces: readonly string[]])[]) {
  const writer = new ArgumentsWriter(properties);
  const pieces = values.flatMap(([key, parts]) => [
    writer.begin(key),
    ...parts.map((part) => writer.add(part)),
  ]);
  pieces.push(writer.end());
  expect(writer.json).toBe(pieces.join(''));
  return pieces;
}

test('in any pieces, arguments are the JSON of their values', () => {
  const piece = fc.oneof(
    fc.constantFrom('&', 'l', 't;', '#', '1', 'x', '10FFFF', ';', '&amp;', 'nul', 'L', 'None', '"'),
    fc.constantFrom(
      '\ud83d',
      '\ude42',
      '&#xd83d;',
      '&#xde42;',
      '🙂',
      '\\',
      '\n',
      '[1,',
      ']',
      'true',
    ),
    fc.string({ unit: 'binary', maxLength: 12 }),
  );
  const key = fc.constantFrom('text', 'number', 'either', 'object', 'unknown', '__proto__');
  const values = fc.uniqueArray(fc.tuple(key, fc.array(piece)), { selector: ([key]) => key });
  fc.assert(
    fc.property(values, (values) => {
      const entries = values.map(([key, pieces]) => {
        const schema = (properties as Record<string, unknown>)[key];
        return [key, coerceArgument(pieces.join(''), schema)] as const;
      });
      expect(write(values).join('')).toBe(JSON.stringify(Object.fromEntries(entries)));
    }),
    { numRuns: 3000 },
  );
});

describe('what goes out when', () => {
  test('text at once, but for what may be an entity or a null', () => {
    expect(write([['text', ['nu', 'm &l', 't; ', 'x']]])).toEqual([
      ...['{"text":', '', '"num ', '< ', 'x'],
      '"}',
    ]);
    expect(write([['text', ['nu', 'll']]])).toEqual(['{"text":', '', '', 'null}']);
  });

  test('other values at their end', () => {
    const values = [
      ['number', ['1', '.50']],
      ['either', ['a', 'b']],
    ] as const;
    expect(write(values)).toEqual(['{"number":', '', '', '1.5,"either":', '', '', '"ab"}']);
  });

  test('no arguments', () => {
    expect(write([])).toEqual(['{}']);
  });

  test('of two values with one name the first', () => {
    const values = [
      ['text', ['a']],
      ['text', ['b']],
      ['number', ['1']],
    ] as const;
    expect(write(values).join('')).toBe('{"text":"a","number":1}');
  });
});
