import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { mergeDeltas } from '../../test/support/merge-deltas.ts';
import { ReasoningParser, type ReasoningStart, reasoningStart } from './reasoning-parser.ts';

/** Thinking as `[…]`, text as it is. */
function parse(pieces: string[], start: ReasoningStart = 'undecided'): string {
  const parser = new ReasoningParser(start);
  const events = [...pieces.flatMap((piece) => parser.push(piece)), ...parser.end()];
  return mergeDeltas(events)
    .map((event) =>
      event.type === 'reasoning-delta' ? `[${event.text}]` : (event as { text: string }).text,
    )
    .join('');
}

describe('where a response starts', () => {
  test.each<[string, ReasoningStart]>([
    ['<|im_start|>assistant\n', 'undecided'],
    ['<|im_start|>assistant\n<think></think>', 'text'],
    ['<|im_start|>assistant\n<think>\n', 'reasoning'],
    // What comes earlier in the prompt must not count.
    ['use <think></think> tags<|im_end|><|im_start|>assistant\n', 'undecided'],
  ])('%j: %s', (prompt, start) => {
    expect(reasoningStart(prompt)).toBe(start);
  });
});

describe('parts', () => {
  test.each<[string, string, ReasoningStart]>([
    ['<think>R</think>A', '[R]A', 'undecided'],
    ['\n<think>R\n</think>\n\nA', '[R\n]\n\nA', 'undecided'],
    ['<think></think>A', 'A', 'undecided'],
    ['A <think>B</think>', 'A <think>B</think>', 'undecided'],
    ['  A', '  A', 'undecided'],
    ['<think>R', '[R]', 'undecided'],
    ['<think>R</thin', '[R</thin]', 'undecided'],
    ['<thin', '<thin', 'undecided'],
    ['R</think>A', '[R]A', 'reasoning'],
    ['<think>R</think>A', '<think>R</think>A', 'text'],
    ['', '', 'undecided'],
  ])('%j gives %j', (response, expected, start) => {
    expect(parse([response], start)).toBe(expected);
  });

  test('a tool call ends the thinking, and the late closing tag is dropped', () => {
    const call = '<tool_call>\n<function=f>\n</function>\n</tool_call>';
    expect(parse([`<think>R${call}`])).toBe(`[R]${call}`);
    expect(parse([`<think>R${call}\n</think>A</think>`])).toBe(`[R]${call}A</think>`);
    expect(parse([`<think>R${call}${call}</think>`])).toBe(`[R]${call}${call}`);
  });

  test('a tool call merely spoken of does not', () => {
    expect(parse(['<think>I write <tool_call> then.</think>A'])).toBe(
      '[I write <tool_call> then.]A',
    );
    expect(parse(['<think><tool_call>\n'])).toBe('[<tool_call>\n]');
  });
});

test('text goes out as soon as it cannot be a tag', () => {
  const parser = new ReasoningParser('undecided');
  expect(parser.push('<thi')).toEqual([]);
  expect(parser.push('nk>a<')).toEqual([{ type: 'reasoning-delta', text: 'a' }]);
  expect(parser.push('b')).toEqual([{ type: 'reasoning-delta', text: '<b' }]);
  expect(parser.push('</think>')).toEqual([]);
  expect(parser.push('c')).toEqual([{ type: 'text-delta', text: 'c' }]);
});

test('any cutting of a response gives the same', () => {
  const part = fc.constantFrom(
    ...[
      '<think>',
      '</think>',
      '<tool_call>',
      '</tool_call>',
      '<function=f>',
      '\n',
      ' ',
      'a',
      '<',
      '你',
    ],
  );
  const start = fc.constantFrom<ReasoningStart>('undecided', 'reasoning', 'text');
  fc.assert(
    fc.property(fc.array(part), fc.array(fc.nat(60)), start, (parts, cuts, start) => {
      const text = parts.join('');
      const at = [0, ...cuts.toSorted((a, b) => a - b), text.length];
      const pieces = at.slice(1).map((end, i) => text.slice(at[i], end));
      expect(parse(pieces, start)).toBe(parse([text], start));
    }),
    { numRuns: 1000 },
  );
});
