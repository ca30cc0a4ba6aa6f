import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { sample } from '../../../test/rl/rollouts.ts';
import { smallConfig } from '../../../test/train/small-model.ts';
import { createReferenceDevice } from '../../device/reference/device.ts';
import { UserError } from '../../errors.ts';
import { initializeModel } from '../../model/initialize.ts';
import { releaseModel, type TrainableModel } from '../../model/weights.ts';
import type { TeacherScores } from '../algorithms/algorithm.ts';
import { mopd } from '../algorithms/mopd.ts';
import { PolicyTrainer } from '../trainer/policy-trainer.ts';
import type { Trajectory } from '../trajectory.ts';
import { ModelTeacher } from './model-teacher.ts';
import { TeacherFailure } from './teacher.ts';

const device = createReferenceDevice();
const load = (seed: number) => () => initializeModel(device, smallConfig, seed);
const options = { resident: true, microBatchTokens: 40 };
let student: TrainableModel;
let drawn: Trajectory[];

beforeAll(async () => {
  student = await load(5)();
  drawn = await sample(student, {
    prompts: [[1, 5, 3], [2]],
    samples: 2,
    maxTokens: 9,
    temperature: 0.5,
  });
});

afterAll(() => {
  releaseModel(student);
  expect(device.allocatedBytes).toBe(0);
});

async function scoresOf(teacher: ModelTeacher, trajectories = drawn, topCount = 0) {
  const results = await teacher.score(trajectories, topCount);
  return results.map((result) => {
    if (result instanceof TeacherFailure) throw result;
    return result;
  });
}

describe('a teacher in this process', () => {
  test('that is the student gives its log-probabilities, and none to given tokens', async () => {
    const teacher = new ModelTeacher('itself', { ...options, load: load(5) });
    const scores = await scoresOf(teacher);
    scores.forEach(({ logprobs, top }, i) => {
      expect(top).toBeNull();
      drawn[i]!.sampled.forEach((one, t) => {
        if (one) expect(logprobs[t]).toBeCloseTo(drawn[i]!.logprobs[t]!, 4);
        else expect(logprobs[t]).toBe(0);
      });
    });
    await teacher.close();
  });

  test('goes by its own routing, whatever the student was routed to', async () => {
    const other = drawn.map((trajectory) => {
      const experts = trajectory.routes!.experts.map((expert) => (expert + 1) % 4);
      return { ...trajectory, routes: { ...trajectory.routes!, experts } };
    });
    const teacher = new ModelTeacher('other', { ...options, load: load(6) });
    expect(await scoresOf(teacher, other)).toEqual(await scoresOf(teacher));
    await teacher.close();
  });

  test('tells of the most probable tokens, in order, beside the sampled one', async () => {
    const teacher = new ModelTeacher('other', { ...options, load: load(6) });
    const [{ logprobs, top }] = (await scoresOf(teacher, drawn, 24)) as [TeacherScores];
    const { sampled, tokens } = drawn[0]!;
    for (const [t, one] of sampled.entries()) {
      const ids = [...top!.tokens.subarray(24 * t, 24 * (t + 1))];
      const values = [...top!.logprobs.subarray(24 * t, 24 * (t + 1))];
      if (!one) {
        expect(ids.every((id) => id === -1)).toBe(true);
        continue;
      }
      expect(values).toEqual([...values].sort((a, b) => b - a));
      expect(values.reduce((sum, value) => sum + Math.exp(value), 0)).toBeCloseTo(1, 5);
      expect(values[ids.indexOf(tokens[t]!)]).toBeCloseTo(logprobs[t]!, 5);
    }
    await teacher.close();
  });

  test('leaves memory to the next where it does not stay', async () => {
    const before = device.allocatedBytes;
    const teacher = new ModelTeacher('guest', { ...options, resident: false, load: load(6) });
    await scoresOf(teacher);
    expect(device.allocatedBytes).toBe(before);
    await scoresOf(teacher);
    const stays = new ModelTeacher('resident', { ...options, load: load(6) });
    expect(await scoresOf(stays)).toEqual(await scoresOf(teacher));
    expect(device.allocatedBytes).toBeGreaterThan(before);
    await stays.close();
    expect(device.allocatedBytes).toBe(before);
  });

  test('refuses what is longer than it reads, and scores the others', async () => {
    const teacher = new ModelTeacher('short', { ...options, microBatchTokens: 11, load: load(5) });
    const results = await teacher.score(drawn, 0);
    expect(results.map((result) => result instanceof TeacherFailure)).toEqual([
      ...[true, true],
      ...[false, false],
    ]);
    expect(results[0]).toMatchObject({
      kind: 'teacher',
      reason: 'refused',
      message:
        'teacher short: trajectory 0.0 has 12 tokens, more than its 11 tokens of a micro-batch',
    });
    await teacher.close();
  });

  test('that does not load, or is no model any more, fails each trajectory and can recover', async () => {
    let state = 'missing';
    const teacher = new ModelTeacher('late', {
      ...{ ...options, resident: false },
      async load() {
        if (state === 'missing') throw new UserError('out/late: is not there');
        const model = await load(5)();
        if (state === 'broken') {
          const norm = model.finalNorm;
          device.write(norm.storage, norm.byteOffset, new Float32Array(12).fill(Number.NaN));
        }
        return model;
      },
    });
    const reasons = async () =>
      (await teacher.score(drawn, 0)).map((result) =>
        result instanceof TeacherFailure ? `${result.reason}: ${result.message}` : 'scored',
      );
    expect(await reasons()).toEqual(
      drawn.map(() => 'unreachable: teacher late: out/late: is not there'),
    );
    state = 'broken';
    expect((await reasons())[3]).toBe(
      'malformed: teacher late: has log-probability NaN at token 1 of trajectory 1.1',
    );
    state = 'sound';
    expect(await reasons()).toEqual(drawn.map(() => 'scored'));
  });
});

test('the frozen student as teacher leaves the student as it is, exactly', async () => {
  const teacher = new ModelTeacher('student', { ...options, load: load(5) });
  const scores = await scoresOf(teacher);
  const trainer = new PolicyTrainer(student, {
    schedule: () => 1e-2,
    adamw: {},
    microBatchTokens: 40,
  });
  const examples = drawn.map((trajectory, i) => ({ trajectory, teacher: scores[i]! }));
  const metrics = await trainer.step(examples, mopd({ alpha: 0 }), 0);
  expect(metrics.updated).toBe(false);
  expect(metrics.algorithm.teacherGap).toBe(0);
  trainer.release();
  await teacher.close();
});
