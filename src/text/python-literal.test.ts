import { expect, test } from 'vitest';
import { parsePythonLiteral } from './python-literal.ts';

test.each<[string, unknown]>([
  ["{'a': True, 'b': (1, None), 'c': False}", { a: true, b: [1, null], c: false }],
  [`['it\\'s', "it's", 'say "hi"', '']`, ["it's", "it's", 'say "hi"', '']],
  ['[1, 2.5e3, -4,]', [1, 2500, -4]],
  ["{'(True,)': ',]'}", { '(True,)': ',]' }],
  ["'\\x41\\n\\u4e2d\\\\'", 'A\n中\\'],
  ['{"a": [1]}', { a: [1] }],
  ['{"a": [1]', undefined],
  ['__import__("os")', undefined],
  ["'a' 'b'", undefined],
  ["'open", undefined],
  ['', undefined],
])('%s', (text, value) => {
  expect(parsePythonLiteral(text)).toEqual(value);
});
