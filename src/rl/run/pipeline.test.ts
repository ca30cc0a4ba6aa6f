/** The whole of post-training in seconds: a base model, SFT, two teachers, and the student that both teach. */
import fs from 'node:fs/promises';
import os from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { steps, teacherJson, writePipeline } from '../../../test/rl/small-pipeline.ts';
import { openCheckpoint } from '../../checkpoint/load.ts';
import { createWasmDevice } from '../../device/wasm/device.ts';
import { RunWatcher } from '../../watch/watcher.ts';
import { parsePolicyConfig } from './config.ts';
import { type PipelineEvent, readPipeline, runPipeline } from './pipeline.ts';
import { type PolicyEvent, runPolicy } from './policy-run.ts';

let folder: string;
beforeAll(async () => {
  folder = await fs.mkdtemp(join(os.tmpdir(), 'pipeline-'));
});
afterAll(() => fs.rm(folder, { recursive: true }));

const openDevice = () => createWasmDevice({ threads: 1 });
const metricsOf = async (run: string) =>
  (await fs.readFile(join(folder, run, 'metrics.jsonl'), 'utf8'))
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
/** The first and the last share of right answers, by domain. */
const accuracyOf = async (run: string): Promise<Record<string, number>[]> => {
  const found = (await metricsOf(run)).filter(({ type }) => type === 'accuracy');
  return [found[0].scores, found.at(-1).scores];
};

async function pipeline(stopAfter?: { stage: string; step: number }): Promise<PipelineEvent[]> {
  const stages = await readPipeline(join(folder, 'pipeline.json'));
  const stop = new AbortController();
  const events: PipelineEvent[] = [];
  for await (const event of runPipeline(stages, openDevice, stop.signal)) {
    events.push(event);
    if (event.type !== 'run' || event.event.type !== 'step') continue;
    if (event.stage.name === stopAfter?.stage && event.event.step === stopAfter.step) stop.abort();
  }
  return events;
}

test('a pipeline that is stopped goes on, and its student learns of both teachers', async () => {
  await writePipeline(folder);
  const stopped = await pipeline({ stage: 'english', step: 5 });
  expect(stopped.at(-1)).toEqual({ type: 'end', result: null });

  const events = await pipeline();
  const begun = events.flatMap((event) => (event.type === 'stage' ? [event] : []));
  expect(begun.map(({ stage, isDone }) => [stage.name, isDone])).toEqual([
    ['base', true],
    ['sft', true],
    ['english', false],
    ['chinese', false],
    ['student', false],
  ]);
  expect(events.at(-1)).toMatchObject({
    type: 'end',
    result: join(folder, 'student', 'step-000020'),
  });
  // None is taken twice, and none left out.
  const taken = (await metricsOf('english')).filter(({ type }) => type === 'step');
  expect(taken.map(({ step }) => step)).toEqual(Array.from({ length: 12 }, (_, i) => i + 1));

  // Rewards rise, by much more than 128 problems leave to chance.
  for (const domain of ['english', 'chinese']) {
    const [before, after] = await accuracyOf(domain);
    expect(after![domain]! - before![domain]!).toBeGreaterThan(0.12);
  }
  const [before, after] = await accuracyOf('student');
  const mean = (scores: Record<string, number>) => (scores.english! + scores.chinese!) / 2;
  expect(mean(after!) - mean(before!)).toBeGreaterThan(0.08);

  // What was sampled and what was trained are one policy.
  const student = (await metricsOf('student')).filter(({ type }) => type === 'step');
  expect(student).toHaveLength(steps.mopd);
  for (const { mismatch, staleness, routesReplayed } of student) {
    if (staleness.max === 0) expect(mismatch.klPositive).toBeLessThan(1e-5);
    expect(routesReplayed).toBeGreaterThan(0);
  }
  expect(student.filter((step) => 'mismatchWithoutReplay' in step)).toHaveLength(2);
  for (const { rollouts } of student) {
    expect(rollouts.tokens).toBeGreaterThan(0);
    expect(rollouts.acceptanceLength).toBeGreaterThan(1);
    expect(rollouts.hitRates).toHaveLength(2);
  }
  const gaps = student.map(({ algorithm }) => algorithm.teacherGap as number);
  expect(gaps.at(-1)!).toBeLessThan(0.7 * gaps[0]!);

  // In the hub's layout, with all heads; and watched like any other run.
  const checkpoint = await openCheckpoint(join(folder, 'student', 'step-000020'));
  expect(checkpoint.config.mtpHeads).toBe(2);
  await checkpoint.close();
  const watched = await new RunWatcher(folder).summaries();
  expect(watched.map(({ run }) => run).sort()).toEqual([
    ...['base', 'chinese', 'english', 'sft', 'student'],
  ]);
  expect(watched.find(({ run }) => run === 'student')).toMatchObject({
    state: 'done',
    reward: expect.any(Number),
  });
}, 240_000);

test('a run that is killed takes up its sequences where they were', async () => {
  const config = (changes: object = {}) =>
    parsePolicyConfig(
      teacherJson('killed', { steps: 4, checkpointEvery: 2, evaluation: undefined, ...changes }),
      join(folder, 'killed.json'),
    );
  const run = async (changes: object = {}, killAfter?: number) => {
    const device = await openDevice();
    const events: PolicyEvent[] = [];
    for await (const event of runPolicy(device, config(changes))) {
      events.push(event);
      // Whoever stops listening ends it without a checkpoint.
      if (event.type === 'step' && event.step === killAfter) break;
    }
    expect(device.allocatedBytes).toBe(0);
    await device.destroy();
    return events;
  };
  const first = await run({}, 3);
  const rewards = (events: PolicyEvent[]) =>
    events.flatMap((event) => (event.type === 'step' ? [[event.step, event.reward]] : []));
  const rest = await run();
  expect(rest[0]).toMatchObject({ type: 'start', step: 2 });
  // Step 3 is taken again, on the very sequences that were sampled for it.
  expect(rewards(rest).map(([step]) => step)).toEqual([3, 4]);
  expect(rewards(rest)[0]).toEqual(rewards(first)[2]);
  expect((await metricsOf('killed')).filter(({ type }) => type === 'step')).toHaveLength(4);
  await expect(run({ clipNorm: 2 })).rejects.toThrow(
    /^clipNorm is not what the run in .*step-000004 began with/,
  );
  await expect(run({ output: 'chinese' })).rejects.toThrow(/^sources is not what the run in/);
});

test('a teacher that dies costs its sequences, and the run only if that is too many', async () => {
  const student = JSON.parse(await fs.readFile(join(folder, 'student.json'), 'utf8'));
  const run = async (output: string, maxFailures: number) => {
    const teacher = join(folder, `${output}-teacher`);
    await fs.cp(join(folder, 'english', 'step-000012'), teacher, { recursive: true });
    const json = {
      ...{ ...student, output, steps: 8, evaluation: undefined },
      teachers: {
        english: { checkpoint: teacher, resident: false },
        chinese: { checkpoint: 'student' },
      },
      schedule: { ...student.schedule, maxFailures },
    };
    const device = await openDevice();
    const steps: (PolicyEvent & { type: 'step' })[] = [];
    try {
      const config = parsePolicyConfig(json, join(folder, 'dying.json'));
      for await (const event of runPolicy(device, config)) {
        if (event.type !== 'step') continue;
        steps.push(event);
        if (event.step === 2) await fs.rm(teacher, { recursive: true });
      }
    } finally {
      expect(device.allocatedBytes).toBe(0);
      await device.destroy();
    }
    return steps;
  };
  const steps = await run('lenient', 1);
  expect(steps).toHaveLength(8);
  expect(steps[1]!.sequences).toBe(32);
  expect(steps[7]!.sequences).toBeLessThan(32);
  expect(steps[7]!.failures.teacher).toBeGreaterThan(32);
  await expect(run('strict', 0.25)).rejects.toThrow(
    /sequences failed, more than maxFailures \(0\.25\) allows; so far \d+ teacher; .*strict-teacher/,
  );
});

test.each([
  [{ stages: [] }, /pipeline\.json: stages must not be empty/],
  [
    { stages: ['student.json'] },
    /student needs .*step-0000\d\d, which is not there and is no stage's/,
  ],
  [{ stages: ['base.json', 'base.json'] }, /base writes to .*base, as a stage before does/],
])('a pipeline %j is refused', async (json, message) => {
  const empty = await fs.mkdtemp(join(os.tmpdir(), 'pipeline-'));
  await writePipeline(empty);
  await fs.writeFile(join(empty, 'pipeline.json'), JSON.stringify(json));
  await expect(readPipeline(join(empty, 'pipeline.json'))).rejects.toThrow(message);
  await fs.rm(empty, { recursive: true });
});
