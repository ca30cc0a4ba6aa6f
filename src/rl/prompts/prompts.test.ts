import fs from 'node:fs/promises';
import os from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { splitOf } from '../../tasks/index.ts';
import { Judge } from '../judge/judge.ts';
import { outcomeReward } from '../reward.ts';
import type { PromptSource, Sequence } from '../scheduler/types.ts';
import { type OpenPromptsOptions, openPrompts } from './open-prompts.ts';
import { promptSourceSchema } from './source-config.ts';

let directory: string;
beforeEach(async () => {
  directory = await fs.mkdtemp(join(os.tmpdir(), 'prompts-'));
});
afterEach(() => fs.rm(directory, { recursive: true, force: true }));

const usual = { name: 'a', domain: 'own', maxTokens: 100 };

async function open(
  config: Record<string, unknown>,
  options: Partial<OpenPromptsOptions> = {},
): Promise<PromptSource> {
  const parsed = promptSourceSchema.parse({ ...usual, ...config });
  const [source] = await openPrompts([parsed], {
    ...{ split: 'train', seed: 1, directory, hasJudge: true },
    ...options,
  });
  return source!.prompts;
}

async function file(...rows: unknown[]): Promise<string> {
  const path = join(directory, 'prompts.jsonl');
  const lines = rows.map((row) => (typeof row === 'string' ? row : JSON.stringify(row)));
  await fs.writeFile(path, lines.join('\n'));
  return path;
}

const first = (source: PromptSource, count: number) =>
  Promise.all(Array.from({ length: count }, (_, i) => source.prompt(i)));
const textOf = ({ problem }: { problem: { messages: readonly unknown[] } }) =>
  JSON.stringify(problem.messages);

describe('prompts of the task families', () => {
  const config = { families: { equations: 1, shell: 1 }, levels: { easy: 1 } };

  test('are the same for the same index, others for another seed or name', async () => {
    const texts = async (changes: Record<string, unknown>, seed: number) =>
      (await first(await open({ ...config, ...changes }, { seed }), 20)).map(textOf);
    expect(await texts({}, 1)).toEqual(await texts({}, 1));
    expect(await texts({}, 1)).not.toEqual(await texts({}, 2));
    expect(await texts({}, 1)).not.toEqual(await texts({ name: 'b' }, 1));
  });

  test('are by default of the domain’s families', async () => {
    const prompts = await first(await open({ domain: 'tools', chinese: 0 }), 120);
    const cells = ['functions', 'shell'].flatMap((family) =>
      ['easy', 'medium', 'hard'].flatMap((level) =>
        ['thinking', 'direct'].map((mode) => `${family}/${level}/en/${mode}`),
      ),
    );
    expect(new Set(prompts.map(({ cell }) => cell))).toEqual(new Set(cells));
    expect(new Set(prompts.map(({ problem }) => problem.thinking))).toEqual(new Set([true, false]));
  });

  test('that are held out are never learnt from', async () => {
    for (const { problem } of await first(await open(config, { split: 'test' }), 20)) {
      expect(splitOf(problem.key)).toBe('test');
    }
  });

  test('are of the families, levels, languages and the split that is wanted', async () => {
    const prompts = await first(await open({ ...config, chinese: 0.5, thinking: 0 }), 60);
    expect(new Set(prompts.map(({ cell }) => cell))).toEqual(
      new Set(
        ['equations/easy/en', 'equations/easy/zh', 'shell/easy/en', 'shell/easy/zh'].map(
          (cell) => `${cell}/direct`,
        ),
      ),
    );
    for (const { problem, key, rubric } of prompts) {
      expect(splitOf(problem.key)).toBe('train');
      expect(problem.thinking).toBe(false);
      expect([key, rubric]).toEqual([null, null]);
    }
  });

  test('have a fingerprint that tells other problems', async () => {
    const fingerprint = async (changes: Record<string, unknown>, seed = 1) =>
      (await open({ ...config, ...changes }, { seed })).fingerprint;
    const before = await fingerprint({});
    expect(await fingerprint({ quota: 5, maxTokens: 7 })).toBe(before);
    expect(await fingerprint({ chinese: 0 })).not.toBe(before);
    expect(await fingerprint({ levels: { hard: 1 } })).not.toBe(before);
    expect(await fingerprint({}, 2)).not.toBe(before);
  });
});

describe('prompts of a file', () => {
  const chatOf = (prompt: string) => JSON.stringify([{ role: 'user', content: prompt }]);
  const isHeldOut = ({ prompt }: { prompt: string }) =>
    splitOf(`chat ${chatOf(prompt)}`) === 'test';
  const all = Array.from({ length: 40 }, (_, i) => ({ prompt: `${i}+1?`, answer: i + 1 }));
  const rows = all.filter((row) => !isHeldOut(row)).slice(0, 10);

  test('come each once in a round, and in another order in the next', async () => {
    const source = await open({ prompts: await file(...rows) });
    const prompts = await first(source, 20);
    const rounds = [prompts.slice(0, 10), prompts.slice(10)].map((round) => round.map(textOf));
    expect(new Set(rounds[0]).size).toBe(10);
    expect([...rounds[1]!].sort()).toEqual([...rounds[0]!].sort());
    expect(rounds[1]).not.toEqual(rounds[0]);
    expect(new Set(prompts.map(({ key }) => key)).size).toBe(10);
    expect(new Set(prompts.map(({ cell }) => cell))).toEqual(new Set(['a']));
  });

  test('come all before any comes again, and never from the other split', async () => {
    const path = await file(...all);
    const asked = async (split: 'train' | 'test') =>
      (await first(await open({ prompts: path }, { split }), 40)).map(textOf);
    const held = all.filter(isHeldOut).map(({ prompt }) => chatOf(prompt));
    const learnt = all.filter((row) => !isHeldOut(row)).map(({ prompt }) => chatOf(prompt));
    expect(held.length).toBeGreaterThan(0);
    expect(new Set(await asked('test'))).toEqual(new Set(held));
    expect(new Set((await asked('train')).slice(0, learnt.length))).toEqual(new Set(learnt));
  });

  test('may think in so many attempts, where a row does not say it', async () => {
    const thinkingOf = async (row: object, thinking: number) => {
      const path = await file({ prompt: 'q', answer: 1, ...row });
      const prompts = await first(await open({ prompts: path, thinking }), 40);
      return prompts.filter(({ problem }) => problem.thinking).length;
    };
    expect(await thinkingOf({}, 0)).toBe(0);
    expect(await thinkingOf({}, 1)).toBe(40);
    const half = await thinkingOf({}, 0.5);
    expect([half > 5, half < 35]).toEqual([true, true]);
    expect(await thinkingOf({ thinking: true }, 0)).toBe(40);
    expect(await thinkingOf({ thinking: false }, 1)).toBe(0);
  });

  test.each([
    [{ prompt: '2+2?', answer: 4 }, 'so: 4\n4.0', true],
    [{ prompt: '2+2?', answer: 4 }, '5', false],
    [{ prompt: 'Its capital?', answer: ' Paris' }, 'It is\nParis', true],
    [{ prompt: 'Its capital?', answer: 'Paris' }, 'Lyon', false],
    [
      {
        messages: [
          { role: 'system', content: 's' },
          { role: 'user', content: 'q' },
        ],
        answer: 'y',
      },
      'y',
      true,
    ],
  ])('are verified by their answer: %j', async (row, content, correct) => {
    const [prompt] = await first(await open({ prompts: await file(row) }), 1);
    const reward = outcomeReward(null);
    const response = [{ role: 'assistant', content }];
    const given = await reward({ prompt } as Sequence, response, new AbortController().signal);
    expect(given).toMatchObject({ value: correct ? 1 : 0, passed: correct });
  });

  const rubric = { task: 't', criteria: [{ name: 'good', description: 'd' }], pass: 0.6 };
  const rubricFile = async (contents: unknown) => {
    const path = join(directory, 'rubric.json');
    await fs.writeFile(path, JSON.stringify(contents));
    return path;
  };

  test('with a rubric go to a judge', async () => {
    const config = { prompts: await file({ prompt: 'q' }), rubric: await rubricFile(rubric) };
    const [prompt] = await first(await open(config), 1);
    const judged = { scores: { good: 5 }, reasons: 'so so' };
    const judge = Object.assign(Object.create(Judge.prototype) as Judge, {
      score: async () => ({ ...judged, score: 0.5 }),
    });
    const { signal } = new AbortController();
    const sequence = { prompt } as Sequence;
    expect(await outcomeReward(judge)(sequence, [], signal)).toEqual({
      ...{ value: 0.5, passed: false, reason: 'so so' },
    });
    await expect(outcomeReward(null)(sequence, [], signal)).rejects.toThrow('no "judge"');
  });

  test('go by their own rubric or answer, where they have one', async () => {
    const own = { task: 'own', criteria: [{ name: 'short', description: 'd' }] };
    const path = await file(
      { prompt: 'q', rubric: own },
      { prompt: 'r', answer: 1 },
      { prompt: 's' },
    );
    const prompts = await first(await open({ prompts: path, rubric: await rubricFile(rubric) }), 3);
    const tasks = prompts.map(({ problem, rubric }) => [
      problem.messages[0]!.content,
      rubric?.task,
    ]);
    expect(Object.fromEntries(tasks)).toEqual({ q: 'own', r: undefined, s: 't' });
    await expect(open({ prompts: path, rubric: await rubricFile({ task: 't' }) })).rejects.toThrow(
      `${join(directory, 'rubric.json')}: criteria is missing`,
    );
  });

  test('with a rubric are refused where nobody judges', async () => {
    const path = await file({ prompt: 'q', rubric });
    await expect(open({ prompts: path }, { hasJudge: false })).rejects.toThrow('no "judge"');
    const answered = await file({ prompt: 'q', answer: 1 });
    await expect(open({ prompts: answered }, { hasJudge: false })).resolves.toBeDefined();
  });

  test('have a fingerprint that tells other rows', async () => {
    const before = (await open({ prompts: await file(...rows) })).fingerprint;
    expect((await open({ prompts: await file(...rows) })).fingerprint).toBe(before);
    expect((await open({ prompts: await file(...rows.slice(1)) })).fingerprint).not.toBe(before);
    const [{ prompt }, ...others] = rows as [(typeof rows)[0], ...typeof rows];
    const changed = await file({ prompt, answer: 0 }, ...others);
    expect((await open({ prompts: changed })).fingerprint).not.toBe(before);
  });

  test.each([
    ['{', 'is not JSON'],
    [{ answer: 1 }, 'give either "prompt" or "messages"'],
    [{ messages: [], answer: 1 }, 'messages must not be empty'],
    [
      { prompt: 'q', messages: [{ role: 'user' }], answer: 1 },
      'give either "prompt" or "messages"',
    ],
    [
      { messages: [{ role: 'assistant', content: 'x' }], answer: 1 },
      '"messages" must end with a user’s',
    ],
    [{ prompt: 'q' }, 'give either "answer" or "rubric"'],
    [
      {
        prompt: 'q',
        answer: 1,
        rubric: { task: 't', criteria: [{ name: 'a', description: 'd' }] },
      },
      'give either "answer" or "rubric"',
    ],
    [{ prompt: 'q', rubric: { task: 't', criteria: [] } }, 'rubric.criteria must not be empty'],
    [{ prompt: 'q', answer: true }, 'answer must be a text or a number'],
  ])('that are malformed are listed, and refused where they are too many: %j', async (row, problem) => {
    const path = await file(row, ...rows);
    await expect(open({ prompts: path })).rejects.toThrow(`the first is ${path}:1: ${problem}`);
    const prompts = await first(await open({ prompts: path, maxMalformed: 0.1 }), 10);
    expect(prompts).toHaveLength(10);
    const log = await fs.readFile(join(directory, 'malformed-a.jsonl'), 'utf8');
    expect(JSON.parse(log)).toMatchObject({ place: `${path}:1` });
  });

  test('that are none are refused', async () => {
    await expect(open({ prompts: await file() })).rejects.toThrow('has no prompts for train');
  });
});

test.each([
  [{}, '"families" is missing; only these domains have their own: mathematics'],
  [{ prompts: 'x', families: { code: 1 } }, '"families" and "prompts" are two sources'],
  [{ prompts: 'x', levels: { easy: 1 } }, '"levels", "tokens", "chinese" do not go with "prompts"'],
  [{ families: { code: 1 }, rubric: 'x' }, '"rubric" goes with "prompts"'],
  [{ families: { code: 1 }, passRate: [0.9, 0.1] }, 'the first is above the second'],
  [{ families: { code: 0 } }, 'gives no family a weight'],
  [{ families: { code: 1 }, quota: 0 }, 'must be more than 0'],
  [{ families: { code: 1 }, speed: 1 }, 'Unrecognized key: "speed"'],
])('a source that says %j is refused', (config, message) => {
  const { error } = promptSourceSchema.safeParse({ ...usual, ...config });
  expect(error!.issues.map((issue) => issue.message).join()).toContain(message);
});
