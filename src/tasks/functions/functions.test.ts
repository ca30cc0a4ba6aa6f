import { describe, expect, test } from 'vitest';
import { drawProblems } from '../../../test/support/draw-problems.ts';
import { renderChat } from '../../text/chat-template.ts';
import { MIMOFLASH_TEMPLATE } from '../index.ts';
import { play } from '../play.ts';
import { readTurns } from '../response.ts';
import type { Problem } from '../task.ts';
import { functions } from './index.ts';

const draw = (count: number) => drawProblems(functions, count, true);

const callsOf = ({ solution }: Problem) => solution.flatMap(({ tool_calls: calls }) => calls ?? []);

describe('function calls', () => {
  test('are those of the schemas offered, with every argument required', () => {
    for (const problem of draw(30)) {
      for (const { function: called } of callsOf(problem)) {
        const tool = problem.tools!.find(({ function: { name } }) => name === called.name)!;
        const { properties, required } = tool.function.parameters as {
          properties: Record<string, { enum?: unknown[] }>;
          required: string[];
        };
        expect(Object.keys(called.arguments).sort()).toEqual([...required].sort());
        for (const [key, value] of Object.entries(called.arguments)) {
          const allowed = properties[key]!.enum;
          if (allowed) expect(allowed).toContain(value);
        }
      }
    }
  });

  test('as the model writes them, and the template shows them, are the right ones', async () => {
    for (const problem of draw(15)) {
      // Each turn is read back from its text, as from a model.
      const turns = problem.solution.filter(({ role }) => role === 'assistant');
      let turn = 0;
      const response = await play(problem, async () => {
        const { tools, thinking } = problem;
        const before = renderChat(MIMOFLASH_TEMPLATE, [], { tools: tools! });
        const chat = renderChat(MIMOFLASH_TEMPLATE, [turns[turn++]!], {
          tools: tools!,
          enableThinking: thinking,
        });
        const written = chat
          .slice(before.length + '<|im_start|>assistant\n'.length)
          .replace('<|im_end|>', '');
        return readBack(written, problem);
      });
      expect(await problem.verify(response)).toEqual({ correct: true, reason: 'correct' });
    }
  });

  test('with one argument changed, one call too many or too few are wrong', async () => {
    const reasons = new Set<string>();
    for (const problem of draw(20)) {
      const { solution } = problem;
      const at = solution.findIndex(({ tool_calls: calls }) => calls);
      if (at < 0) continue;
      const calls = solution[at]!.tool_calls!;
      const [{ function: first }] = calls as [(typeof calls)[number]];
      const given = first.arguments as Record<string, unknown>;
      const key = Object.keys(given)[0]!;
      const changed = { function: { ...first, arguments: { ...given, [key]: 'other' } } };
      for (const wrong of [[changed, ...calls.slice(1)], [...calls, calls[0]!], calls.slice(1)]) {
        const response = solution.with(at, { ...solution[at]!, tool_calls: wrong });
        const { correct, reason } = await problem.verify(response);
        expect(correct).toBe(false);
        reasons.add(reason.split(' ').slice(0, 2).join(' '));
      }
    }
    expect(reasons).toEqual(new Set(['makes a', 'does not']));
  });

  test('that go together may come in any order', async () => {
    const parallel = draw(30).filter(({ solution }) => (solution[0]!.tool_calls?.length ?? 0) > 1);
    expect(parallel.length).toBeGreaterThan(10);
    for (const problem of parallel) {
      const [turn, ...rest] = problem.solution;
      const swapped = { ...turn!, tool_calls: [...turn!.tool_calls!].reverse() };
      expect((await problem.verify([swapped, ...rest])).correct).toBe(true);
    }
  });
});

function readBack(written: string, problem: Problem) {
  const [{ text, calls }] = readTurns(written, problem.tools) as [
    ReturnType<typeof readTurns>[number],
  ];
  return {
    role: 'assistant',
    content: text,
    ...(calls.length > 0 && {
      tool_calls: calls.map(({ name, arguments: given }) => ({
        function: { name, arguments: given },
      })),
    }),
  };
}
