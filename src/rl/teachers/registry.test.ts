import { describe, expect, test } from 'vitest';
import { written } from '../../../test/rl/rollouts.ts';
import { randomParameters, temporaryDirectory } from '../../../test/support/checkpoint.ts';
import { smallConfig } from '../../../test/train/small-model.ts';
import { saveCheckpoint } from '../../checkpoint/save.ts';
import { createReferenceDevice } from '../../device/reference/device.ts';
import { mimoChatTemplate } from '../../text/mimo-template.ts';
import { loadTextFiles, writeTextFiles } from '../../text/tokenizer-files.ts';
import { MIMO_ADDED_TOKENS, tokenizerJson } from '../../text/tokenizer-json.ts';
import { openTeachers, teacherSchema } from './open-teachers.ts';
import { emptyScores } from './prefill.ts';
import { TeacherRegistry } from './registry.ts';
import { type Teacher, TeacherFailure } from './teacher.ts';

/** Says for each trajectory who scored it, and keeps what it was asked for. */
class NamedTeacher implements Teacher {
  readonly name: string;
  readonly isRemote: boolean;
  readonly asked: string[][] = [];
  closed = 0;

  constructor(name: string, isRemote = false) {
    this.name = name;
    this.isRemote = isRemote;
  }

  async score(trajectories: Parameters<Teacher['score']>[0]) {
    this.asked.push(trajectories.map(({ id }) => id));
    return trajectories.map(({ id }) => new TeacherFailure('refused', `${this.name} ${id}`));
  }

  async close() {
    this.closed++;
  }
}

describe('the registry of teachers', () => {
  const trajectories = ['math', 'code', 'chat', 'math'].map((domain, i) =>
    written([-1], { id: `${i}`, domain }),
  );

  test('asks the one teacher of each domain, once for all of its trajectories', async () => {
    const [one, two] = [new NamedTeacher('one'), new NamedTeacher('two', true)];
    const registry = new TeacherRegistry(
      new Map([
        ['math', one],
        ['code', two],
        ['chat', one],
      ]),
    );
    const results = await registry.score(trajectories, 0);
    expect(results.map((result) => (result as TeacherFailure).message)).toEqual([
      ...['one 0', 'two 1', 'one 2', 'one 3'],
    ]);
    expect(one.asked).toEqual([['0', '2', '3']]);
    expect(two.asked).toEqual([['1']]);
    await registry.close();
    expect([one.closed, two.closed]).toEqual([1, 1]);
  });

  test('asks nobody where a domain is not known', async () => {
    const one = new NamedTeacher('one');
    const registry = new TeacherRegistry(new Map([['math', one]]));
    await expect(registry.score(trajectories, 0)).rejects.toThrow(
      'domain "code" has no teacher (there are: math); name one',
    );
    expect(one.asked).toEqual([]);
  });
});

describe('opening teachers', () => {
  const model = { ...smallConfig, vocabSize: 256 + MIMO_ADDED_TOKENS.length };
  const device = createReferenceDevice();

  /** A checkpoint with a tokenizer and a template. */
  async function checkpoint(
    seed: number,
    { added = MIMO_ADDED_TOKENS, template = mimoChatTemplate() } = {},
  ) {
    const directory = await temporaryDirectory();
    await saveCheckpoint(`${directory}/model`, model, randomParameters(model, seed), {
      dtype: 'f32',
      files: {},
    });
    await writeTextFiles(`${directory}/model`, tokenizerJson([], added), template, 64);
    return `${directory}/model`;
  }

  async function open(teachers: Record<string, object>, domains: string[], student: string) {
    const configs = Object.fromEntries(
      Object.entries(teachers).map(([domain, config]) => [domain, teacherSchema.parse(config)]),
    );
    const text = await loadTextFiles(student);
    const options = { device, student: { checkpoint: student, text }, microBatchTokens: 64 };
    return openTeachers(configs, domains, options);
  }

  test('gives each domain its own, which may be the frozen student', async () => {
    const [student, taught] = [await checkpoint(1), await checkpoint(2)];
    const teachers = {
      math: { checkpoint: taught },
      code: { checkpoint: taught },
      chat: { checkpoint: 'student', resident: false },
    };
    const registry = await open(teachers, ['math', 'chat'], student);
    expect(registry.teacherOf('math')).toBe(registry.teacherOf('code'));
    expect(registry.teacherOf('chat')).not.toBe(registry.teacherOf('math'));
    const drawn = ['math', 'chat'].map((domain) => written([-1, -1], { domain }));
    const [math, chat] = await registry.score(drawn, 0);
    expect(math).not.toBeInstanceOf(TeacherFailure);
    expect(chat).not.toEqual(math);
    expect(chat).not.toEqual(emptyScores(3, 0));
    await registry.close();
    expect(device.allocatedBytes).toBe(0);
  });

  test('ends at once where a domain has none', async () => {
    const student = await checkpoint(1);
    const teachers = { math: { checkpoint: student } };
    await expect(open(teachers, ['math', 'code'], student)).rejects.toThrow(
      'domain "code" has no teacher (there are: math); name one',
    );
  });

  test('ends where a teacher has another vocabulary or another template', async () => {
    const student = await checkpoint(1);
    const good = await checkpoint(2);
    const swapped = await checkpoint(2, { added: [...MIMO_ADDED_TOKENS].reverse() });
    const opening = (bad: string) =>
      open({ math: { checkpoint: good }, code: { checkpoint: bad } }, ['math'], student);
    await expect(opening(swapped)).rejects.toThrow(
      `teacher ${swapped}: token 256 is ${JSON.stringify(name(MIMO_ADDED_TOKENS.at(-1)!))} and the ` +
        `student's ${JSON.stringify(name(MIMO_ADDED_TOKENS[0]!))}; a teacher must have the student's vocabulary`,
    );
    const fewer = await checkpoint(2, { added: MIMO_ADDED_TOKENS.slice(0, -1) });
    await expect(opening(fewer)).rejects.toThrow(
      `teacher ${fewer}: has ${model.vocabSize - 1} tokens and the student ${model.vocabSize}; `,
    );
    const other = await checkpoint(2, { template: "{{ messages[0]['content'] }}" });
    await expect(opening(other)).rejects.toThrow(
      `teacher ${other}: its chat template is not the student's; a teacher must have learnt chats`,
    );
    // What was open is closed.
    expect(device.allocatedBytes).toBe(0);
  });

  test('ends where a teacher is not there', async () => {
    const student = await checkpoint(1);
    const missing = `${student}-missing`;
    await expect(open({ math: { checkpoint: missing } }, ['math'], student)).rejects.toThrow(
      missing,
    );
  });
});

function name(token: (typeof MIMO_ADDED_TOKENS)[number]): string {
  return token.content;
}
