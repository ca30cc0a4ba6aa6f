/** Whatever a model writes is judged and nothing throws: a reward must not end a run. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Random } from '../random.ts';
import type { ChatMessage } from '../text/chat-messages.ts';
import { FAMILIES } from './families.ts';
import { LEVELS, type Problem } from './task.ts';

const anyText = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 80 }),
  fc.string({ maxLength: 40 }),
  fc.constantFrom(
    '<think>',
    '</think>',
    '```js\n```',
    '<tool_call>\n<function=bash>\n<parameter=command>ls',
    '{}',
    '---',
    '0x10',
    '$(ls)',
    '`',
    '; rm -rf / #',
    '\u0000',
  ),
);

function hostileTo({ tools, solution }: Problem): fc.Arbitrary<string | ChatMessage[]> {
  const names = [...(tools ?? []).map((tool) => tool.function.name), 'unknown'];
  const argument = fc.oneof(anyText, fc.jsonValue({ maxDepth: 1 }));
  const keys = ['command', 'path', 'old', 'new', 'answer', 'city', 'x', '__proto__'];
  const call = fc.record({
    function: fc.record({
      name: fc.constantFrom(...names),
      arguments: fc.oneof(
        fc.dictionary(fc.constantFrom(...keys), argument, { maxKeys: 4 }),
        fc.string({ maxLength: 10 }),
      ),
    }),
  });
  const turn = fc.record(
    {
      role: fc.constantFrom('assistant', 'tool', 'user'),
      content: fc.oneof(anyText, fc.constant(null)),
      tool_calls: fc.array(call, { maxLength: 3 }),
    },
    { requiredKeys: ['role', 'content'] },
  );
  // What is nearly right reaches further into a verifier than what is not.
  const text = String(solution.at(-1)!.content);
  const nearly = fc
    .tuple(fc.nat(text.length), anyText)
    .map(([at, insert]) => text.slice(0, at) + insert + text.slice(at));
  return fc.oneof(anyText, nearly, fc.array(turn, { maxLength: 3 })) as fc.Arbitrary<
    string | ChatMessage[]
  >;
}

test.each(FAMILIES)('$name', async (family) => {
  const random = new Random('hostile');
  for (const level of LEVELS) {
    const problem = family.generate(random, { language: 'en', level, thinking: true });
    await fc.assert(
      fc.asyncProperty(hostileTo(problem), async (response) => {
        const { correct, reason } = await problem.verify(response);
        expect(typeof correct).toBe('boolean');
        expect(reason).not.toBe('');
        expect(reason).not.toContain('\n');
      }),
      { numRuns: 60, examples: [[[]], [''], ['<think></think>']] },
    );
  }
});
