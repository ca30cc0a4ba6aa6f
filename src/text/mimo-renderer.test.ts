import { Template } from '@huggingface/jinja';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { RegularMessage, Tool } from './chat-messages.ts';
import { mimoRenderer } from './mimo-renderer.ts';
import { mimoChatTemplate } from './mimo-template.ts';

const source = mimoChatTemplate('You are "S".\n\\');
const template = new Template(source);
const render = mimoRenderer(source)!;

const text = fc.oneof(
  fc.string(),
  fc.constantFrom('', ' a\n', '<think>b</think>c', '<think>', '</think>', '中文'),
);
const value = fc.letrec<{ json: unknown }>((tie) => ({
  json: fc.oneof(
    { maxDepth: 2 },
    text,
    fc.integer(),
    fc.boolean(),
    fc.constant(null),
    fc.array(tie('json'), { maxLength: 3 }),
    fc.dictionary(fc.stringMatching(/^[a-z]{1,4}$/), tie('json'), { maxKeys: 3 }),
  ),
})).json;
const named = fc.dictionary(fc.stringMatching(/^[a-z]{1,6}$/), value, { maxKeys: 3 });

const message: fc.Arbitrary<RegularMessage> = fc.oneof(
  fc.record({ role: fc.constantFrom('system', 'user', 'tool', 'observer'), content: text }),
  fc.record(
    {
      role: fc.constant('assistant'),
      content: text,
      reasoning_content: text,
      tool_calls: fc.array(
        fc.record({ function: fc.record({ name: fc.stringMatching(/^\w+$/), arguments: named }) }),
        { maxLength: 2 },
      ),
    },
    { requiredKeys: ['role', 'content'] },
  ),
);

const property = fc.record(
  {
    type: fc.oneof(fc.constantFrom('string', 'integer'), fc.constant(['string', 'null'])),
    description: text,
    enum: fc.array(fc.oneof(text, fc.integer()), { minLength: 1, maxLength: 3 }),
    default: value,
  },
  { requiredKeys: [] },
);
const tool: fc.Arbitrary<Tool> = fc.record({
  type: fc.constant('function' as const),
  function: fc.record(
    {
      name: fc.stringMatching(/^\w+$/),
      description: text,
      strict: fc.boolean(),
      parameters: fc.record({
        type: fc.constant('object'),
        properties: fc.dictionary(fc.stringMatching(/^[a-z]{1,6}$/), property, { maxKeys: 3 }),
        required: fc.array(fc.string(), { maxLength: 2 }),
      }),
    },
    { requiredKeys: ['name'] },
  ),
});

test('renders what the template renders', () => {
  fc.assert(
    fc.property(
      fc.array(message, { maxLength: 5 }),
      fc.array(tool, { maxLength: 2 }),
      fc.boolean(),
      fc.boolean(),
      (messages, tools, enableThinking, addGenerationPrompt) => {
        const expected = template.render({
          messages,
          add_generation_prompt: addGenerationPrompt,
          enable_thinking: enableThinking,
          ...(tools.length > 0 && { tools }),
        });
        const options = { tools, enableThinking, addGenerationPrompt };
        expect(render(messages, options)).toBe(expected);
      },
    ),
    { numRuns: 400 },
  );
});

test('leaves to the template what it does not know', () => {
  expect(mimoRenderer(`${source} `)).toBeUndefined();
  expect(mimoRenderer('{{ messages }}')).toBeUndefined();
  const odd = {
    type: 'function',
    function: { name: 'f', parameters: { properties: { a: true } } },
  };
  expect(render([], { tools: [odd as Tool] })).toBeUndefined();
  expect(render([], { keepAllReasoning: false })).toBeUndefined();
});
