/** The runs that the lab's configs of post-training make, in full. */
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { type PolicyConfig, parsePolicyConfig } from '../rl/run/config.ts';
import { readRunConfig } from '../rl/run/read-config.ts';
import { DOMAINS } from '../tasks/index.ts';
import { parseTrainingConfig } from '../train/config.ts';
import { checkpointName } from '../train/run-directory.ts';
import { distillation } from './distillation/index.ts';
import * as distilled from './distillation/outcome.ts';
import { domains } from './domains/index.ts';
import { mismatch } from './mismatch/index.ts';
import { readConfig } from './read-config.ts';
import { rollouts } from './rollouts/index.ts';
import * as timed from './rollouts/outcome.ts';
import { zeros } from './zeros/index.ts';

const runs = fileURLToPath(new URL('../../runs/', import.meta.url));
const pathOf = (name: string) => join(runs, `lab-${name}.json`);
const full = (name: string) => ({ configPath: pathOf(name), quick: false });
const policyOf = (policy: unknown, name: string) =>
  parsePolicyConfig({ ...(policy as object), output: 'out' }, pathOf(name));

/** The last checkpoint of a run in `runs/`. */
async function resultOf(file: string): Promise<string> {
  const { config } = await readRunConfig(join(runs, `${file}.json`));
  return join(config.output, checkpointName(config.steps));
}

async function student(): Promise<PolicyConfig> {
  const { config } = await readRunConfig(join(runs, 'mimoflash-7-mopd.json'));
  return config as PolicyConfig;
}

test('domains asks the student’s own questions of all that the pipeline made', async () => {
  const { run, checkpoints } = await readConfig(domains, full('domains'));
  const asked = policyOf(run, 'domains');
  const { sources, maxLength, seed, evaluation } = await student();
  expect(asked).toMatchObject({ sources, maxLength });
  // Not the problems that were looked at while training.
  expect(asked.seed).not.toBe(seed);
  expect(asked.evaluation!.problems).toBeGreaterThan(evaluation!.problems);
  const made = [
    'mimoflash-5-sft',
    ...Object.keys(DOMAINS).map((domain) => `mimoflash-6-${domain}`),
    'mimoflash-7-mopd',
    'mimoflash-8-mopd',
  ];
  expect(checkpoints.map(({ checkpoint }) => resolve(runs, checkpoint))).toEqual(
    await Promise.all(made.map(resultOf)),
  );
  const taught = checkpoints.flatMap(({ domain }) => domain ?? []);
  expect(taught).toEqual(sources.map(({ name }) => name));
});

test('distillation trains as the student was trained', async () => {
  const config = await readConfig(distillation, full('distillation'));
  const usual = await student();
  const policies = distilled.signals.map((signal) =>
    policyOf(distilled.policyOf(config, signal), 'distillation'),
  );
  for (const { sources, model, learningRate, schedule } of policies) {
    expect({ sources, model, learningRate }).toEqual({
      sources: usual.sources,
      model: usual.model,
      learningRate: usual.learningRate,
    });
    expect(schedule).toEqual(policies[0]!.schedule);
    expect(schedule.requireSignal).toBe(false);
  }
  const [outcome, alone, both] = policies;
  expect(outcome!.stage).toBe('teacher');
  expect(alone).toMatchObject({
    mopd: { alpha: 0 },
    teachers: both!.stage === 'mopd' && both!.teachers,
  });
  expect(both).toMatchObject({ mopd: (usual as { mopd?: object }).mopd });
});

test('mismatch, rollouts and zeros begin with what the pipeline made', async () => {
  const sft = await resultOf('mimoflash-5-sft');
  const formats = await readConfig(mismatch, full('mismatch'));
  for (const { name, ...format } of formats.formats) {
    const policy = policyOf({ ...formats.policy, ...format }, 'mismatch');
    expect(policy).toMatchObject({ stage: 'teacher', model: { checkpoint: sft }, ...format });
  }
  const steps = await readConfig(rollouts, full('rollouts'));
  for (const variant of steps.variants) {
    const policy = policyOf(timed.policyOf(steps, variant), 'rollouts');
    expect(policy).toMatchObject({ stage: 'mopd', model: { checkpoint: sft } });
    expect(policy.evaluation).toBeUndefined();
  }
  const { training } = await readConfig(zeros, full('zeros'));
  const parsed = parseTrainingConfig({ ...training, output: 'out' }, pathOf('zeros'));
  const { config } = await readRunConfig(join(runs, 'mimoflash-5-sft.json'));
  expect(parsed).toMatchObject({ model: config.model, steps: config.steps, zerosWatch: {} });
});
