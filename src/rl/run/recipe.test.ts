/** The configs of post-training in `runs/`. */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { readJsonFile } from '../../json-file.ts';
import { DOMAINS } from '../../tasks/index.ts';
import { checkpointName } from '../../train/run-directory.ts';
import { readRunConfig } from './read-config.ts';

const runs = fileURLToPath(new URL('../../../runs/', import.meta.url));

async function stagesOf(pipeline: string) {
  const { stages } = (await readJsonFile(join(runs, pipeline))) as { stages: string[] };
  return Promise.all(stages.map((name) => readRunConfig(join(runs, name))));
}

test('each stage begins with what a stage before ends with', async () => {
  const { config: heads } = await readRunConfig(join(runs, 'mimoflash-4-three-heads.json'));
  const made = [join(heads.output, checkpointName(heads.steps))];
  const rounds = ['mimoflash-post-training.json', 'mimoflash-second-round.json'];
  const stages = (await Promise.all(rounds.map(stagesOf))).flat();
  for (const { config } of stages) {
    expect(made).toContain(config.model.checkpoint);
    if ('teachers' in config) {
      for (const teacher of Object.values(config.teachers)) {
        expect('checkpoint' in teacher && made.includes(teacher.checkpoint)).toBe(true);
      }
    }
    made.push(join(config.output, checkpointName(config.steps)));
  }
  expect(new Set(made).size).toBe(made.length);
});

test('there is a teacher for each domain, and the student learns of all of them', async () => {
  const stages = await stagesOf('mimoflash-post-training.json');
  const policies = stages.flatMap((run) => (run.kind === 'policy' ? [run.config] : []));
  const teachers = policies.filter(({ stage }) => stage === 'teacher');
  const domains = Object.keys(DOMAINS);
  expect(teachers.flatMap(({ sources }) => sources.map(({ domain }) => domain))).toEqual(domains);
  const student = policies.at(-1)!;
  expect(student.sources.map(({ domain }) => domain)).toEqual(domains);
  if (student.stage !== 'mopd') throw new Error('the last stage does not distil');
  expect(Object.keys(student.teachers)).toEqual(domains);
});

test('SFT has the report’s settings, but for the rate, which is five times as high', async () => {
  const [sft] = await stagesOf('mimoflash-post-training.json');
  expect(sft!.config).toMatchObject({
    batchSequences: 128,
    expertBiasRate: 1e-4,
    balanceCoefficient: 1e-6,
    learningRate: { schedule: 'cosine', peak: 5 * 5e-5, floor: 5 * 5e-6 },
  });
});
