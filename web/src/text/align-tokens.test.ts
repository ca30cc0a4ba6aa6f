import { expect, test } from 'vitest';
import { alignTokens } from './align-tokens.ts';

/** What of the text each token is found to be. */
function found(tokens: string[], text: string): string[] {
  return alignTokens(tokens, text).map(({ begin, end }) => text.slice(begin, end));
}

test('tokens of plain text are where they stand', () => {
  expect(found(['Hel', 'lo', ' wor', 'ld', '!'], 'Hello world!')).toEqual([
    'Hel',
    'lo',
    'wor',
    'ld',
    '!',
  ]);
});

test('marks of Markdown are passed over, and what follows is found', () => {
  const tokens = ['# ', 'Title', '\n\n', 'a **', 'bold', '** w', 'ord'];
  expect(found(tokens, 'Title\na bold word')).toEqual(['', 'Title', '', 'a', 'bold', 'w', 'ord']);
});

test('control tokens are in no text, whatever letters they have', () => {
  expect(found(['so', '</think>', 'thin', ' kites'], 'sothin kites')).toEqual([
    'so',
    '',
    'thin',
    'kites',
  ]);
});

test('an address that is not shown does not lose the rest', () => {
  const tokens = ['see ', '[this', '](', 'https://', 'example.org', ') and', ' rest'];
  const ranges = found(tokens, 'see this and rest');
  expect(ranges[0]).toBe('see');
  expect(ranges[1]).toBe('this');
  expect(ranges[6]).toBe('rest');
});
