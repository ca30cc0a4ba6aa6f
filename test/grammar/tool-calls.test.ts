import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { expressionOf, type OutputGrammar } from '../../src/grammar/output-grammar.ts';
import type { Tool } from '../../src/text/chat-messages.ts';
import { ResponseParser } from '../../src/text/response-parser.ts';
import { mergeDeltas } from '../support/merge-deltas.ts';
import { accepts, startOf, walk } from './walk.ts';

const book: Tool = {
  type: 'function',
  function: {
    name: 'book_table',
    strict: true,
    parameters: {
      type: 'object',
      properties: {
        name: { type: 'string', pattern: '^[a-z<&]{1,6}$' },
        people: { type: 'integer', minimum: 1, maximum: 12 },
        seats: { type: 'array', items: { enum: ['a<b', '&amp;', 'x'] }, maxItems: 3 },
        outside: { type: 'boolean' },
        kind: { type: 'string', enum: ['lunch', 'dinner & dance'] },
        price: { type: ['number', 'null'] },
      },
      required: ['name', 'people', 'kind'],
      additionalProperties: false,
    },
  },
};
const search: Tool = {
  type: 'function',
  function: {
    name: 'search',
    parameters: { type: 'object', properties: { query: { type: 'string' } }, required: ['query'] },
  },
};
const clock: Tool = { type: 'function', function: { name: 'clock', strict: true } };

const prompt = '<|im_start|>assistant\n<think></think>';

/** Without the pieces of calls. */
function eventsOf(text: string, tools: readonly Tool[], rendered = prompt) {
  const parser = new ResponseParser(rendered, tools);
  return mergeDeltas([...parser.push(text), ...parser.end()]).filter(
    ({ type }) => type !== 'tool-call-start' && type !== 'tool-call-delta',
  );
}

const grammarOf = (calls: OutputGrammar['calls'], thinking?: OutputGrammar['thinking']) =>
  startOf(
    expressionOf({
      answer: { kind: 'any' },
      ...(calls && { calls }),
      ...(thinking && { thinking }),
    }),
  );

describe('required calls', () => {
  test('are calls of the tools, with arguments that fit', () => {
    const tools = [book, clock];
    const start = grammarOf({ tools, mode: 'required', parallel: true });
    const validator = z.fromJSONSchema(book.function.parameters as never);
    let calls = 0;
    for (let seed = 0; seed < 60; seed++) {
      const text = walk(start, seed, 400);
      if (text === null) continue;
      for (const event of eventsOf(text, tools)) {
        expect(event.type, text).toBe('tool-call');
        if (event.type !== 'tool-call') continue;
        calls++;
        if (event.name === 'clock') expect(event.arguments).toEqual({});
        else expect(validator.safeParse(event.arguments).error?.issues, text).toBeUndefined();
      }
    }
    expect(calls).toBeGreaterThan(30);
  });

  test('of a tool that is not strict have the parameters that it needs', () => {
    const start = grammarOf({ tools: [search], mode: 'required', parallel: false });
    const call = (inner: string) =>
      `<tool_call>\n<function=search>\n${inner}</function>\n</tool_call>`;
    expect(accepts(start, call('<parameter=query>x < y && "z"</parameter>\n'))).toBe(true);
    expect(accepts(start, call(''))).toBe(false);
    expect(accepts(start, call('<parameter=other>1</parameter>\n'))).toBe(false);
    const one = call('<parameter=query>1</parameter>\n');
    expect(accepts(start, one + one)).toBe(false);
    expect(accepts(start, `Well. ${one}`)).toBe(false);
  });
});

test('allowed calls fit where there are any, and else the text is free', () => {
  const tools = [book];
  const start = grammarOf({ tools, mode: 'allowed', parallel: true });
  expect(accepts(start, 'No call, "only" <text>.')).toBe(true);
  expect(accepts(start, '')).toBe(true);
  const call = (people: string) =>
    `<tool_call>\n<function=book_table>\n<parameter=name>a&lt;b</parameter>\n<parameter=people>${people}</parameter>\n<parameter=kind>lunch</parameter>\n</function>\n</tool_call>`;
  expect(accepts(start, `I see. ${call('3')} Done.`)).toBe(true);
  expect(accepts(start, `I see. ${call('13')}`)).toBe(false);
  expect(accepts(start, `${call('1')}\n${call('2')}`)).toBe(true);
  expect(eventsOf(call('3'), tools)).toMatchObject([
    {
      type: 'tool-call',
      name: 'book_table',
      arguments: { name: 'a<b', people: 3, kind: 'lunch' },
    },
  ]);
});

test('thinking comes before, whatever it says, and never makes a call', () => {
  const calls = { tools: [clock], mode: 'required', parallel: false } as const;
  const call = '<tool_call>\n<function=clock>\n</function>\n</tool_call>';
  const may = grammarOf(calls, 'may begin');
  const has = grammarOf(calls, 'has begun');
  expect(accepts(may, call)).toBe(true);
  expect(accepts(has, call)).toBe(false);
  expect(accepts(may, `<think>What <is> it?</think>${call}`)).toBe(true);
  expect(accepts(has, `What <is> it?</think>${call}`)).toBe(true);
  expect(accepts(has, `Perhaps ${call}</think>${call}`)).toBe(false);
  for (let seed = 0; seed < 10; seed++) {
    const text = walk(has, seed);
    if (text === null) continue;
    const events = eventsOf(text, [clock], '<|im_start|>assistant\n<think>');
    expect(events.at(-1)).toMatchObject({ type: 'tool-call', name: 'clock', arguments: {} });
  }
});

test.each([
  [{ type: 'object', properties: { a: { not: {} } } }, 'f.parameters.properties.a.not: is not'],
  [{ type: 'object', properties: { 'a>': {} } }, 'f.parameters.properties.a>: a name cannot'],
  [{ type: 'string' }, 'f.parameters.type: must be "object"'],
  [{ type: 'object', properties: {}, required: ['x'] }, '"x" is not among the properties'],
  [{ type: 'object', additionalProperties: true }, 'must be false in a strict tool'],
  [
    {
      type: 'object',
      properties: { a: { $ref: '#/$defs/a' } },
      $defs: { a: { $ref: '#/$defs/a' } },
    },
    'nests deeper',
  ],
])('a strict tool with parameters %j is refused', (parameters, message) => {
  const tools: Tool[] = [{ type: 'function', function: { name: 'f', strict: true, parameters } }];
  expect(() => grammarOf({ tools, mode: 'required', parallel: true })).toThrow(message);
});
