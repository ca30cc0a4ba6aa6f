import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { compileExpression } from '../../src/grammar/automaton.ts';
import { expressionOf } from '../../src/grammar/output-grammar.ts';
import { accepts, startOf, walk } from './walk.ts';

const address = {
  type: 'object',
  properties: { street: { type: 'string' }, zip: { type: 'string', pattern: '^\\d{5}$' } },
  required: ['street', 'zip'],
  additionalProperties: false,
};

const schemas: Record<string, object> = {
  text: { type: 'string' },
  'text of some length': { type: 'string', minLength: 2, maxLength: 5 },
  'a pattern': { type: 'string', pattern: '^["\\\\<a-c\\n]{1,4}$' },
  'a pattern anywhere': { type: 'string', pattern: 'ab?c' },
  'a day': { type: 'string', format: 'date' },
  'a time': { type: 'string', format: 'date-time' },
  'an address of mail': { type: 'string', format: 'email' },
  'an address of a machine': { type: 'string', format: 'ipv4' },
  'an id': { type: 'string', format: 'uuid' },
  'a whole number': { type: 'integer' },
  'a number': { type: 'number' },
  'numbers within bounds': { type: 'integer', minimum: -12, maximum: 305 },
  'numbers from a bound': { type: 'integer', exclusiveMinimum: 7 },
  'decimals within bounds': { type: 'number', minimum: -3, exclusiveMaximum: 2 },
  'decimals below zero': { type: 'number', exclusiveMaximum: 0, minimum: -20 },
  choices: { enum: ['red', 'gr"een', 3, null, true] },
  'several types': { type: ['string', 'null', 'integer'] },
  alternatives: { anyOf: [address, { type: 'array', items: { type: 'boolean' } }] },
  list: {
    type: 'array',
    items: { type: 'integer', minimum: 0, maximum: 9 },
    minItems: 2,
    maxItems: 4,
  },
  tuple: {
    type: 'array',
    prefixItems: [{ type: 'string' }, { type: 'boolean' }],
    items: { type: 'null' },
    minItems: 1,
  },
  'an object': address,
  'optional properties': {
    type: 'object',
    properties: {
      a: { type: 'integer' },
      b: { type: 'boolean' },
      c: { type: 'null' },
      d: { type: 'integer' },
    },
    required: ['c'],
    additionalProperties: false,
  },
  'other properties': {
    type: 'object',
    properties: { id: { type: 'integer' }, ide: { type: 'boolean' } },
    required: ['id'],
    additionalProperties: { type: 'null' },
  },
  'a map': { type: 'object', additionalProperties: { type: 'boolean' } },
  'a tree': {
    $ref: '#/$defs/node',
    $defs: {
      node: {
        type: 'object',
        properties: {
          value: { type: 'integer', minimum: 0, maximum: 9 },
          children: { type: 'array', items: { $ref: '#/$defs/node' }, maxItems: 2 },
        },
        required: ['value'],
        additionalProperties: false,
      },
    },
  },
  anything: {},
};

describe.each(Object.entries(schemas))('%s', (_, schema) => {
  const start = startOf(expressionOf({ answer: { kind: 'json-schema', schema } }));
  const validator = z.fromJSONSchema(schema as never);

  test('all that is written is JSON that fits', () => {
    let ended = 0;
    for (let seed = 0; seed < 25; seed++) {
      const text = walk(start, seed);
      if (text === null) continue;
      ended++;
      const result = validator.safeParse(JSON.parse(text));
      expect(result.error?.issues, text).toBeUndefined();
    }
    expect(ended).toBeGreaterThan(5);
  });
});

const accepting = (schema: unknown) =>
  startOf(expressionOf({ answer: { kind: 'json-schema', schema } }));

test.each([
  [{ type: 'object', properties: { a: { type: 'integer' } }, required: ['a'] }, '{"a": 1}', true],
  [{ type: 'object', properties: { a: { type: 'integer' } }, required: ['a'] }, '{}', false],
  [{ type: 'object', properties: { a: { type: 'integer' } } }, '{"b":1}', false],
  [{ type: 'object', additionalProperties: true }, '{\n  "x": [1, {"y": "z\\n"}]\n}', true],
  [{ properties: { a: {} }, additionalProperties: true }, '{"a":1,"b":2}', true],
  [{ properties: { a: {} }, additionalProperties: true }, '{"b":1,"a":2}', false],
  [{ type: 'integer', minimum: 10, maximum: 99 }, '100', false],
  [{ type: 'integer', minimum: 10, maximum: 99 }, '99', true],
  [{ type: 'number', exclusiveMinimum: 0 }, '0.0', false],
  [{ type: 'number', exclusiveMinimum: 0 }, '0.05', true],
  [{ type: 'number', minimum: 0, maximum: 1 }, '1.0', true],
  [{ type: 'number', minimum: 0, maximum: 1 }, '1.5', false],
  [{ type: 'string', pattern: '^\\d+$' }, '"12"', true],
  [{ type: 'string', pattern: '^\\d+$' }, '"1a"', false],
  [{ type: 'string', maxLength: 2 }, '"你好"', true],
  [{ type: 'string', maxLength: 2 }, '"\\u4f60你好"', false],
  [{ allOf: [{ const: 'x' }] }, '"x"', true],
  [{ $ref: '#/definitions/a~1b', definitions: { 'a/b': { type: 'null' } } }, 'null', true],
  [{ anyOf: [{ $ref: '#' }, { type: 'null' }] }, 'null', true],
])('%j and %s: %s', (schema, text, expected) => {
  expect(accepts(accepting(schema), text)).toBe(expected);
});

test.each([
  [{ type: 'string', not: {} }, 'schema.not: is not supported; leave it out'],
  [{ type: 'number', multipleOf: 2 }, 'schema.multipleOf: is not supported'],
  [{ properties: { a: { uniqueItems: true } } }, 'schema.properties.a.uniqueItems: is not'],
  [{ type: 'date' }, 'schema.type: '],
  [{ $ref: 'other.json' }, 'schema.$ref: only references within'],
  [{ $ref: '#/$defs/a' }, 'schema.$ref: there is no "#/$defs/a"'],
  [{ $ref: '#' }, 'no text fits'],
  [{ anyOf: [{ type: 'null' }], type: 'string' }, 'schema.type: is not supported beside anyOf'],
  [{ type: 'object', properties: {}, required: ['a'] }, '"a" is not among the properties'],
  [{ type: 'string', pattern: '(' }, 'the pattern "("'],
  [{ type: 'string', format: 'color' }, 'schema.format: "color" is not supported'],
  [{ type: 'string', pattern: 'a', minLength: 2 }, 'only one of pattern'],
  [{ type: 'integer', minimum: 3, maximum: 2 }, 'schema: there is no number'],
  [{ type: 'array', items: false, minItems: 1 }, 'schema: no list has'],
  [{ type: 'number', minimum: 0.5 }, 'bounds of numbers must be whole'],
  [{ allOf: [{}, {}] }, 'schema.allOf: of several is not supported'],
  ['text', 'schema: '],
  [false, 'schema: nothing fits'],
])('%j is refused', (schema, message) => {
  expect(() => accepting(schema)).toThrow(message);
});

test('a schema that nests without end is refused', () => {
  let schema: object = {};
  for (let i = 0; i < 5000; i++) schema = { type: 'array', items: schema };
  expect(() => accepting(schema)).toThrow('nests deeper');
});

// Each property is followed by those after it, so that they nest in the grammar.
test.each([
  true,
  false,
])('an object of too many properties is refused, required: %s', (isRequired) => {
  const names = Array.from({ length: 20_000 }, (_, i) => `p${i}`);
  const properties = Object.fromEntries(names.map((name) => [name, { type: 'string' }]));
  const schema = { type: 'object', properties, ...(isRequired && { required: names }) };
  const compile = () =>
    compileExpression(expressionOf({ answer: { kind: 'json-schema', schema } }));
  expect(compile).toThrow('it is too large');
});

test('one value', () => {
  const value = { a: [1, 'x"<'], b: {} };
  for (let seed = 0; seed < 5; seed++) {
    expect(JSON.parse(walk(accepting({ const: value }), seed)!)).toEqual(value);
  }
});

test('any JSON object', () => {
  const start = startOf(expressionOf({ answer: { kind: 'json' } }));
  for (const text of ['{}', '{"a": [1, -2.5e3, "x\\u00e9", null, {"b": true}]}']) {
    expect(accepts(start, text)).toBe(true);
  }
  for (const text of ['[]', '{"a": 01}', "{'a': 1}", '{"a": 1,}', '{"a": "\n"}']) {
    expect(accepts(start, text)).toBe(false);
  }
  for (let seed = 0; seed < 20; seed++) {
    const text = walk(start, seed, 2000);
    if (text !== null) expect(JSON.parse(text)).toBeTypeOf('object');
  }
});
