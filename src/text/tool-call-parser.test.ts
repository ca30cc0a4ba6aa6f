import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { mergeDeltas } from '../../test/support/merge-deltas.ts';
import type { Tool } from './chat-messages.ts';
import { ChatTemplate, renderChat } from './chat-template.ts';
import { mimoChatTemplate } from './mimo-template.ts';
import { type ResponseEvent, ResponseParser } from './response-parser.ts';
import { type ToolCallEvent, ToolCallParser } from './tool-call-parser.ts';

const tools: Tool[] = [
  {
    type: 'function',
    function: {
      name: 'f',
      parameters: {
        type: 'object',
        properties: { s: { type: 'string' }, n: { type: 'integer' }, o: { type: 'object' } },
      },
    },
  },
  { type: 'function', function: { name: 'g' } },
];

function parse(...pieces: string[]): ResponseEvent[] {
  const parser = new ToolCallParser(tools);
  return mergeDeltas([...pieces.flatMap((piece) => parser.push(piece)), ...parser.end()]);
}

const text = (text: string): ToolCallEvent => ({ type: 'text-delta', text });
const called = (name: string, args: Record<string, unknown> = {}): ToolCallEvent[] => {
  const json = JSON.stringify(args);
  return [
    { type: 'tool-call-start', name },
    { type: 'tool-call-delta', json },
    { type: 'tool-call', name, arguments: args, json },
  ];
};
const write = (name: string, args: Record<string, string> = {}) =>
  `<tool_call>\n<function=${name}>\n${Object.entries(args)
    .map(([key, value]) => `<parameter=${key}>${value}</parameter>\n`)
    .join('')}</function>\n</tool_call>`;

describe('calls', () => {
  test('with typed arguments, and the text around them', () => {
    const response = `Let me look.\n${write('f', { s: ' a\n', n: '2', o: '{"k": [1]}' })} Done.`;
    expect(parse(response)).toEqual([
      text('Let me look.\n'),
      ...called('f', { s: ' a\n', n: 2, o: { k: [1] } }),
      text(' Done.'),
    ]);
  });

  test('in parallel, with or without whitespace between', () => {
    const two = [...called('g'), ...called('f', { n: 1 })];
    expect(parse(`${write('g')}${write('f', { n: '1' })}`)).toEqual(two);
    expect(parse(`${write('g')}\n\n${write('f', { n: '1' })}\n`)).toEqual(two);
  });

  test('written tightly or loosely', () => {
    const tight = '<tool_call><function=f><parameter=s>a</parameter></function></tool_call>';
    const loose =
      '<tool_call> \n <function= f >\n\n<parameter= s >a</parameter>\n\n</function>\n\n</tool_call>';
    expect(parse(tight)).toEqual(called('f', { s: 'a' }));
    expect(parse(loose)).toEqual(called('f', { s: 'a' }));
  });

  test('parameters that the tool does not have are text', () => {
    expect(parse(write('g', { x: '1' }))).toEqual(called('g', { x: '1' }));
    expect(parse(write('f', { constructor: '1' }))).toEqual(called('f', { constructor: '1' }));
  });

  test.each([null, [], 'x', 1])('of a tool whose properties are %j have texts', (properties) => {
    const parser = new ToolCallParser([
      { type: 'function', function: { name: 'f', parameters: { properties } } },
    ]);
    expect(parser.push(write('f', { x: '1' }))).toContainEqual(called('f', { x: '1' }).at(-1));
  });

  test('of unknown functions are reported as written', () => {
    const call = write('rm', { path: '/' });
    expect(parse(`a${call}b`)).toEqual([
      text('a'),
      { type: 'unknown-tool-call', name: 'rm', text: call },
      text('b'),
    ]);
  });

  test('give texts as they come, and other values when they are complete', () => {
    const parser = new ToolCallParser(tools);
    const pushed = (piece: string) => parser.push(piece);
    expect(pushed('<tool_call>\n<function=f>\n<parameter=s')).toEqual([]);
    expect(pushed('>one "t')).toEqual([
      { type: 'tool-call-start', name: 'f' },
      { type: 'tool-call-delta', json: '{"s":"one \\"t' },
    ]);
    expect(pushed('wo"</para')).toEqual([{ type: 'tool-call-delta', json: 'wo\\"' }]);
    expect(pushed('meter>\n<parameter=n>1')).toEqual([{ type: 'tool-call-delta', json: '","n":' }]);
    expect(pushed('2</parameter>\n</function>\n</tool_call')).toEqual([]);
    expect(pushed('>')).toEqual([
      { type: 'tool-call-delta', json: '12}' },
      ...called('f', { s: 'one "two"', n: 12 }).slice(-1),
    ]);
  });

  test('have the first value of a parameter that is written twice', () => {
    const twice = write('f', { s: 'a' }).replace(
      /<parameter.*\n/,
      (first) => `${first}${first.replace('>a', '>b')}`,
    );
    expect(parse(twice)).toEqual(called('f', { s: 'a' }));
  });

  test('without parameters are given as soon as they are complete', () => {
    const parser = new ToolCallParser(tools);
    expect(parser.push(write('g').slice(0, -1))).toEqual([]);
    expect(parser.push('>')).toEqual(called('g'));
  });
});

describe('values that hold tags', () => {
  test.each([
    'a </parameter> b',
    '</parameter>',
    'see </tool_call> and </function>',
    '</function>\n</tool_call>',
    '</parameter>\n<parameter=\n>',
    '</parameter>\n<parameter=>',
    '<tool_call>',
    '<function=x>',
    '<think></think>',
    write('f', { s: 'an example' }),
    `${write('g')}\n${write('f', { s: '1', n: '2' })}`,
  ])('%j', (value) => {
    expect(parse(write('f', { s: value, n: '1' }))).toEqual(called('f', { s: value, n: 1 }));
  });
});

describe('what is no complete call', () => {
  test.each([
    '<tool_call>',
    'the <tool_call> tag',
    '<tool_call>\n{"name": "f"}\n</tool_call>',
    '<tool_call>\n<function=f',
    '<tool_call>\n<function=f>\njunk\n</function>\n</tool_call>',
    '<tool_call>\n<function=>\n</function>\n</tool_call>',
    '<tool_call>\n<function=f>\n<parameter=',
    '<tool_call>\n<function=f>\n<parameter=\n>1</parameter>\n</function>\n</tool_call>',
    '<tool_call>\n<function=unknown>\n<parameter=s>cut of',
    'a <tool_c',
    `x </tool_call>`,
  ])('%j is text', (response) => {
    expect(parse(response)).toEqual([text(response)]);
  });

  test.each([
    ['<parameter=s>cut of', '{"s":"cut of'],
    ['<parameter=s>cut off</parameter>\n', '{"s":"cut off'],
    ['<parameter=s>1</parameter>\n<parameter=n', '{"s":"1'],
    ['<parameter=s>1</parameter>\n<parameter=n>2', '{"s":"1","n":'],
    [
      `<parameter=s>after ${write('g')}`,
      `{"s":${JSON.stringify(`after ${write('g')}`).slice(0, -1)}`,
    ],
  ])('%j is a call that was cut off, and its JSON is not closed', (parameters, json) => {
    const response = `<tool_call>\n<function=f>\n${parameters}`;
    expect(parse(response)).toEqual([
      { type: 'tool-call-start', name: 'f' },
      { type: 'tool-call-delta', json },
      { type: 'cut-off-tool-call', name: 'f', text: response },
    ]);
  });

  test('a false start does not hide the call after it', () => {
    expect(parse(`<tool_call>\n<function=f ${write('g')}`)).toEqual([
      text('<tool_call>\n<function=f '),
      ...called('g'),
    ]);
  });

  test('text after a call is not lost when it looks like the next', () => {
    expect(parse(`${write('g')}\n<tool_c`)).toEqual([...called('g'), text('\n<tool_c')]);
  });

  test('a call may lack its last tag, or a last line, but no part of a value', () => {
    expect(parse(write('g').replace('\n</tool_call>', ''))).toEqual(called('g'));
    expect(parse(write('f', { s: 'a' }).replace('\n</tool_call>', ''))).toEqual([
      ...called('f', { s: 'a' }),
    ]);
    expect(parse(write('f', { s: 'a' }).replace('</function>\n', ''))).toEqual([
      ...called('f', { s: 'a' }),
    ]);
  });
});

test('reads back what the chat template writes', () => {
  const template = new ChatTemplate(mimoChatTemplate());
  const args = fc.record({ s: fc.string({ unit: 'binary' }), n: fc.maxSafeInteger() });
  fc.assert(
    fc.property(fc.array(args, { minLength: 1, maxLength: 3 }), (calls) => {
      const rendered = renderChat(template, [
        {
          role: 'assistant',
          tool_calls: calls.map((call) => ({ function: { name: 'f', arguments: call } })),
        },
      ]);
      const response = rendered.split('<think></think>')[1]!.slice(0, -'<|im_end|>'.length);
      // The format cannot tell a null from the text of one, nor an entity from what it stands for.
      fc.pre(calls.every(({ s }) => s.toLowerCase() !== 'null' && !s.includes('&')));
      expect(parse(response)).toEqual(calls.flatMap((call) => called('f', call)));
    }),
  );
});

describe('a whole response', () => {
  const respond = (prompt: string, ...pieces: string[]) => {
    const parser = new ResponseParser(prompt, tools);
    return mergeDeltas([...pieces.flatMap((piece) => parser.push(piece)), ...parser.end()]);
  };

  test('thinking, text and calls', () => {
    expect(respond('assistant\n', `<think>hm</think>So:${write('g')}`)).toEqual([
      { type: 'reasoning-delta', text: 'hm' },
      text('So:'),
      ...called('g'),
    ]);
  });

  test('a call made while thinking is made', () => {
    expect(respond('assistant\n', `<think>hm${write('g')}</think>ok`)).toEqual([
      { type: 'reasoning-delta', text: 'hm' },
      ...called('g'),
      text('ok'),
    ]);
  });

  test('without tools, calls are text', () => {
    const parser = new ResponseParser('<think></think>');
    expect(parser.push(write('g'))).toEqual([text(write('g'))]);
  });

  test('in any cutting, the deltas of a call are its JSON, and that of a cut-off call is not closed', () => {
    const part = fc.constantFrom(
      ...[
        '<parameter=s>',
        '<parameter=n>',
        '<parameter=o>',
        '</parameter>\n',
        '"',
        '\\',
        '&',
        'lt;',
      ],
      ...['nul', 'l', '{"k":', '1', '}', '🙂', '&#x1f642;', '&#xd83d;', '<', write('g')],
      ...['</function>\n</tool_call>', '<tool_call>\n<function=f>\n'],
    );
    fc.assert(
      fc.property(fc.array(part), (parts) => {
        const written = `<tool_call>\n<function=f>\n<parameter=s>${parts.join('')}`;
        let json: string | null = null;
        for (const event of respond('<think></think>', ...written.split(''))) {
          if (event.type === 'tool-call-start') json = '';
          if (event.type === 'tool-call-delta') json += event.json;
          if (event.type === 'tool-call') {
            expect(json).toBe(event.json);
            expect(event.arguments).toEqual(JSON.parse(event.json));
            json = null;
          }
          if (event.type === 'cut-off-tool-call') {
            expect(() => JSON.parse(json!)).toThrow(SyntaxError);
            json = null;
          }
        }
        expect(json).toBe(null);
      }),
      { numRuns: 1000 },
    );
  });

  test('any cutting of a response gives the same', () => {
    const part = fc.constantFrom(
      ...['<think>', '</think>', '<tool_call>', '\n', '<function=f>', '<function=', 'g', '>', ' '],
      ...['<parameter=s>', '</parameter>', '</function>', '</tool_call>', 'a', '<', '&lt;', '你'],
      ...[write('g'), write('f', { s: 'x', n: '1' }), '</function>\n</tool_call>', '&#1', 'nul'],
    );
    fc.assert(
      fc.property(fc.array(part), fc.array(fc.nat(200)), fc.boolean(), (parts, cuts, thinking) => {
        const response = parts.join('');
        const prompt = thinking ? 'assistant\n' : '<think></think>';
        const at = [0, ...cuts.toSorted((a, b) => a - b), response.length];
        const pieces = at.slice(1).map((end, i) => response.slice(at[i], end));
        const whole = respond(prompt, response);
        expect(respond(prompt, ...pieces)).toEqual(whole);
        expect(respond(prompt, ...response)).toEqual(whole);
      }),
      { numRuns: 2000 },
    );
  });
});
