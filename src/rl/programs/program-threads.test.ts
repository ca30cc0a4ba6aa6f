/** Programs in threads of their own give what they give here, and one that hangs is ended. */
import { afterEach, describe, expect, test } from 'vitest';
import type { Problem } from '../../tasks/index.ts';
import { openPrompts } from '../prompts/open-prompts.ts';
import { promptSourceSchema } from '../prompts/source-config.ts';
import { problemTools } from '../tools/problem-tools.ts';
import { LocalToolbox } from '../tools/toolbox.ts';
import { ProgramThreads } from './program-threads.ts';

/** Longer than any honest call, and shorter than the two seconds that a shell may sleep. */
const SHORT = 1000;

let threads: ProgramThreads;
afterEach(() => threads.close());

const start = (
  changes: { threads?: number; verifyTimeout?: number; callTimeout?: number } = {},
) => {
  threads = new ProgramThreads({
    ...{ threads: 1, verifyTimeout: 20_000, callTimeout: SHORT },
    ...changes,
  });
};

/** The first problems of a family, as they are and with their programs in threads. */
async function problemsOf(family: string, count: number): Promise<[Problem, Problem][]> {
  const families = { [family]: 1 };
  const config = promptSourceSchema.parse({
    domain: 'own',
    families,
    maxTokens: 9,
    tokens: [9, 99],
  });
  const options = { split: 'train', seed: 1, directory: '.', hasJudge: false } as const;
  const sources = [{}, { threads }].map((other) => openPrompts([config], { ...options, ...other }));
  const [[here], [there]] = (await Promise.all(sources)) as [
    Awaited<(typeof sources)[0]>,
    Awaited<(typeof sources)[0]>,
  ];
  expect(there!.prompts.fingerprint).toBe(here!.prompts.fingerprint);
  return Promise.all(
    Array.from(
      { length: count },
      async (_, i): Promise<[Problem, Problem]> => [
        (await here!.prompts.prompt(i)).problem,
        (await there!.prompts.prompt(i)).problem,
      ],
    ),
  );
}

const bash = (command: string) => ({ name: 'bash', arguments: { command } });

describe('a verifier in a thread', () => {
  test.each(['code', 'shell'])('of %s says what it says here', async (family) => {
    start({ threads: 2 });
    const pairs = await problemsOf(family, 4);
    const judged = pairs.flatMap(([here, there]) =>
      [here.solution, 'no', [{ role: 'assistant', content: '```js\nthrow 1\n```' }]].map(
        async (response) => {
          const verdict = await there.verify(response);
          expect(verdict).toEqual(await here.verify(response));
          return verdict.correct;
        },
      ),
    );
    expect((await Promise.all(judged)).filter(Boolean)).toHaveLength(4);
    expect(pairs.every(([here, there]) => here.verify !== there.verify)).toBe(true);
  });

  test('is not for problems that run nothing', async () => {
    start();
    for (const [here, there] of await problemsOf('functions', 2)) {
      expect(Object.keys(there)).toEqual(Object.keys(here));
      expect(there.openTools?.constructor).toBe(here.openTools?.constructor);
      expect(await there.verify(there.solution)).toMatchObject({ correct: true });
    }
  });

  test('that does not end is ended, and those behind it are judged', async () => {
    start({ verifyTimeout: 300 });
    const [[, first], [, second]] = (await problemsOf('code', 2)) as [
      [Problem, Problem],
      [Problem, Problem],
    ];
    const name = /function (\w+)\(/.exec(String(first.solution.at(-1)!.content))![1];
    const hanging = first.verify(`\`\`\`js\nfunction ${name}() { for (;;) {} }\n\`\`\``);
    const honest = second.verify(second.solution);
    await expect(hanging).rejects.toMatchObject({
      kind: 'reward-timeout',
      message: 'a program did not end in 0.3 s',
    });
    expect(await honest).toMatchObject({ correct: true });
  });
});

describe('tools in a thread', () => {
  test('keep what calls leave behind, each their own, until they end', async () => {
    start();
    const [[, problem]] = (await problemsOf('shell', 1)) as [[Problem, Problem]];
    const [one, other] = [problem.openTools!(), problem.openTools!()];
    await one.call(bash('echo mine > own.txt'));
    expect(await one.call(bash('cat own.txt'))).toBe('mine');
    expect(await other.call(bash('cat own.txt'))).toMatch(/No such file/);
    expect(await one.call({ name: 'finish', arguments: { answer: '1' } })).toBe('done');
    expect([one.finished, other.finished]).toEqual([true, false]);
    await one.close!();
    await other.close!();
  });

  test('that hang are ended, and others come to where they were in a fresh thread', async () => {
    start();
    const [[, problem]] = (await problemsOf('shell', 1)) as [[Problem, Problem]];
    const toolbox = new LocalToolbox({});
    const tools = toolbox.environments(problemTools());
    const [one, other] = await Promise.all(
      ['one', 'other'].map((sequence) => tools.open({ sequence, problem })),
    );
    await one!.call(bash('echo mine > own.txt'));
    await expect(other!.call(bash('sleep 100'))).rejects.toMatchObject({
      kind: 'tool-timeout',
      message: 'a program did not end in 1 s',
    });
    expect(await one!.call(bash('cat own.txt'))).toBe('mine');
    // The hanging call was made once more, and what it ended was opened again.
    expect(toolbox.figures().kinds['problem-tools']).toMatchObject({ restarts: 2, inUse: 2 });
    await toolbox.close();
  });

  test('whose threads are closed are told so', async () => {
    start();
    const [[, problem]] = (await problemsOf('shell', 1)) as [[Problem, Problem]];
    const session = problem.openTools!();
    const waiting = session.call(bash('sleep 100'));
    waiting.catch(() => {});
    await threads.close();
    await expect(waiting).rejects.toThrow('the threads of programs are closed');
    await expect(problem.verify('no')).rejects.toThrow('the threads of programs are closed');
  });
});
