import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { StopScanner } from './stop-scanner.ts';

function scan(stops: string[], pieces: readonly string[]): [text: string, stop: string | null] {
  const scanner = new StopScanner(stops);
  const text = pieces.map((piece) => scanner.push(piece)).join('') + scanner.end();
  return [text, scanner.found];
}

describe('the text ends before a stop string', () => {
  test.each<[string[], string, string, string | null]>([
    [['b'], 'abc', 'a', 'b'],
    [['xyz'], 'abcxy', 'abcxy', null],
    [['\n\n', 'END'], 'one\ntwo\n\nEND', 'one\ntwo', '\n\n'],
    [['aab'], 'aaab', 'a', 'aab'],
    // Complete first, though it starts later.
    [['abc', 'b'], 'abc', 'a', 'b'],
    [['b', 'ab'], 'ab', '', 'ab'],
    [[], 'anything', 'anything', null],
  ])('%j in %j', (stops, text, expected, found) => {
    expect(scan(stops, [text])).toEqual([expected, found]);
    expect(scan(stops, [...text])).toEqual([expected, found]);
  });
});

test('only what may begin a stop string is held back', () => {
  const scanner = new StopScanner(['stop!']);
  expect(scanner.push('go st')).toBe('go ');
  expect(scanner.push('and')).toBe('stand');
  expect(scanner.push(' sto')).toBe(' ');
  expect(scanner.push('p!x')).toBe('');
  expect(scanner.push('more')).toBe('');
  expect(scanner.end()).toBe('');
  expect(scanner.found).toBe('stop!');
});

test('any cutting of a text gives the same', () => {
  const text = fc.string({ unit: fc.constantFrom('a', 'b', '你'), maxLength: 30 });
  const stop = fc.string({ unit: fc.constantFrom('a', 'b', '你'), minLength: 1, maxLength: 5 });
  fc.assert(
    fc.property(fc.array(stop, { maxLength: 4 }), fc.array(text), (stops, pieces) => {
      const whole = pieces.join('');
      const [before, found] = scan(stops, [whole]);
      expect(scan(stops, pieces)).toEqual([before, found]);
      expect(stops.some((stop) => before.includes(stop))).toBe(false);
      expect(whole.startsWith(before + (found ?? ''))).toBe(true);
    }),
    { numRuns: 1000 },
  );
});
