import fs from 'node:fs/promises';
import os from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parsePolicyConfig } from './config.ts';
import { readRunConfig } from './read-config.ts';

const teacher = {
  stage: 'teacher',
  output: 'out',
  model: { checkpoint: '../sft/step-000010' },
  sources: [{ domain: 'mathematics', maxTokens: 200 }],
  schedule: { groups: 4, groupSize: 8 },
  steps: 20,
  maxLength: 512,
  microBatchTokens: 1024,
  learningRate: { peak: 1e-4 },
};
const mopd = {
  ...teacher,
  stage: 'mopd',
  mopd: { alpha: 0.5 },
  teachers: { mathematics: { checkpoint: 'teachers/a' } },
};
const parse = (json: object) => parsePolicyConfig(json, '/a/b/run.json');

describe('the config of reinforcement learning', () => {
  test('fills in what is left out, and finds files beside itself', () => {
    const config = parse(teacher);
    expect(config).toMatchObject({ output: '/a/b/out', replay: true, rolloutWeights: 'shared' });
    expect(config.model.checkpoint).toBe('/a/sft/step-000010');
    expect(config.adamw).toMatchObject({ weightDecay: 0, epsilon: 1e-8 });
    expect(config.sources[0]).toMatchObject({ temperature: 1, quota: 1, passRate: [0, 1] });
    expect(config.sources[0]).toMatchObject({ name: 'mathematics', families: { equations: 1 } });
    expect(config.tools).toEqual({ threads: 2, callTimeoutSeconds: 10, restarts: 1 });
    expect(config.schedule).toMatchObject({ requireSignal: true, groupsAhead: 2 });
  });

  test('of distillation keeps groups without signal, and knows the student as a teacher', () => {
    const config = parse({ ...mopd, teachers: { mathematics: { checkpoint: 'student' } } });
    expect(config.schedule.requireSignal).toBe(false);
    expect(config).toMatchObject({ teachers: { mathematics: { checkpoint: 'student' } } });
    expect(parse(mopd)).toMatchObject({
      teachers: { mathematics: { checkpoint: '/a/b/teachers/a' } },
    });
  });

  test.each<[object, string]>([
    [{ ...teacher, stage: 'ppo' }, 'stage'],
    [{ ...teacher, mopd: { alpha: 1 } }, 'mopd is not known; check its spelling or remove it'],
    [{ ...mopd, mopd: {} }, 'mopd.alpha is missing'],
    [{ ...mopd, teachers: undefined }, 'teachers is missing'],
    [{ ...teacher, maxLength: 2048 }, '"maxLength" must be no more than "microBatchTokens"'],
    [
      { ...teacher, sources: [{ domain: 'poetry', maxTokens: 9 }] },
      'sources.0 "families" is missing',
    ],
    [
      { ...teacher, sources: [...teacher.sources, ...teacher.sources] },
      'sources: two have one name; give each a "name"',
    ],
    [
      { ...teacher, sources: [{ domain: 'code', maxTokens: 9, rubric: 'b.json' }] },
      'sources.0 "rubric" goes with "prompts"',
    ],
    [
      {
        ...teacher,
        sources: [{ domain: 'chats', maxTokens: 9, prompts: 'a.jsonl', rubric: 'b.json' }],
      },
      '"judge" is missing, and a source has a rubric',
    ],
    [{ ...teacher, tools: { rate: { perSecond: 3 } } }, 'tools.rate.burst is missing'],
    [{ ...teacher, schedule: { groups: 4 } }, 'schedule.groupSize is missing'],
    [{ ...teacher, grpo: { correction: { kind: 'gate', lower: 1 } } }, 'grpo.correction'],
  ])('says what is wrong with %j', (json, message) => {
    expect(() => parse(json)).toThrow(`/a/b/run.json: ${message}`);
  });
});

describe('a config that extends another', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await fs.mkdtemp(join(os.tmpdir(), 'config-'));
  });
  afterAll(() => fs.rm(folder, { recursive: true }));
  const write = async (name: string, json: object) => {
    await fs.writeFile(join(folder, name), JSON.stringify(json));
    return join(folder, name);
  };

  test('has its own keys in the place of the other’s', async () => {
    await write('base.json', teacher);
    const own = { extends: 'base.json', output: 'own', schedule: { groups: 2 } };
    const { kind, config } = await readRunConfig(await write('own.json', own));
    expect(kind).toBe('policy');
    expect(config.output).toBe(join(folder, 'own'));
    expect(config).toMatchObject({ steps: 20, schedule: { groups: 2, groupSize: 8 } });
  });

  test('must be of the same folder, and not extend itself', async () => {
    const outside = await write('outside.json', { extends: '../base.json' });
    await expect(readRunConfig(outside)).rejects.toThrow(/extends must name a file in the same/);
    await write('a.json', { extends: 'b.json' });
    const b = await write('b.json', { extends: 'a.json' });
    await expect(readRunConfig(b)).rejects.toThrow(/a\.json: extends b\.json, which extends this/);
  });

  test('of an unknown stage is told the stages that there are', async () => {
    const path = await write('c.json', { stage: 'dpo' });
    await expect(readRunConfig(path)).rejects.toThrow(
      /stage must be one of pretraining, sft, teacher, mopd/,
    );
  });
});
