import { expect, test } from 'vitest';
import { coerceArgument } from './tool-arguments.ts';

test.each<[unknown, string, unknown]>([
  ['string', ' as is\n', ' as is\n'],
  ['string', '12', '12'],
  ['string', 'a &lt;b&gt; &amp;amp; &quot;&#39;&#x4f60;', 'a <b> &amp; "\'你'],
  ['string', '?a=1&copy=2&lt', '?a=1&copy=2&lt'],
  ['string', '&#xd83d;&#xde42;&#x110000;', '&#xd83d;&#xde42;&#x110000;'],
  ['string', 'NULL', null],
  ['integer', '-12', -12],
  ['integer', ' 7\n', 7],
  ['integer', '1.5', '1.5'],
  ['integer', '90071992547409931', '90071992547409931'],
  ['uint8', '3', 3],
  ['number', '1.50', 1.5],
  ['number', '3.0', 3],
  ['float32', '1e3', 1000],
  ['number', 'Infinity', 'Infinity'],
  ['number', '', ''],
  ['boolean', 'True', true],
  ['bool', 'false', false],
  ['boolean', 'yes', 'yes'],
  ['object', '{"a": [1, null]}', { a: [1, null] }],
  ['object', "{'a': True}", { a: true }],
  ['object', '[1]', '[1]'],
  ['array', '["a"]', ['a']],
  ['array', 'a, b', 'a, b'],
  ['list', "('a', 1)", ['a', 1]],
  ['any', '{"a": 1}', { a: 1 }],
  ['any', 'plain words', 'plain words'],
  [['string', 'integer'], '5', 5],
  [['integer', 'null'], 'null', null],
  [['integer', 'null'], 'None', null],
  [['string', 'null'], 'text', 'text'],
  [undefined, '12', '12'],
  [42, '12', '12'],
])('type %j: %j', (type, text, value) => {
  expect(coerceArgument(text, { type })).toEqual(value);
});

test('alternatives are tried, strings last', () => {
  const schema = { anyOf: [{ type: 'string' }, { type: 'array' }, { type: 'null' }] };
  expect(coerceArgument('[1]', schema)).toEqual([1]);
  expect(coerceArgument('x', schema)).toBe('x');
});

test('a property that the tool does not have is text', () => {
  expect(coerceArgument('12', undefined)).toBe('12');
});
