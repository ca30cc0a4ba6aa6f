/** MOPD, rollouts and all, moves a student to its teacher. */
import { expect, test } from 'vitest';
import { sample } from '../../../test/rl/rollouts.ts';
import { tinyConfig } from '../../../test/tiny-config.ts';
import { createWasmDevice } from '../../device/wasm/device.ts';
import { initializeModel } from '../../model/initialize.ts';
import { releaseModel } from '../../model/weights.ts';
import { mopd } from '../algorithms/mopd.ts';
import { ModelTeacher } from '../teachers/model-teacher.ts';
import { TeacherFailure } from '../teachers/teacher.ts';
import { PolicyTrainer } from './policy-trainer.ts';

const prompts = [[3], [5], [7], [9]];

test.each([
  ['by the drawn token', 0],
  ['over top tokens', 8],
])('the reverse KL of a student to its teacher falls: %s', async (_, topTokens) => {
  const device = await createWasmDevice({ threads: 1 });
  const student = await initializeModel(device, tinyConfig(), 1);
  const teacher = new ModelTeacher('teacher', {
    load: () => initializeModel(device, tinyConfig(), 2),
    resident: true,
    microBatchTokens: 2048,
  });
  const trainer = new PolicyTrainer(student, {
    schedule: () => 1e-2,
    adamw: { weightDecay: 0 },
    microBatchTokens: 2048,
  });
  const gaps: number[] = [];
  for (let version = 0; version < 12; version++) {
    const drawn = await sample(student, {
      ...{ prompts, samples: 16, maxTokens: 8 },
      ...{ seed: version, version },
    });
    const scored = await teacher.score(drawn, topTokens);
    const examples = drawn.map((trajectory, i) => {
      const scores = scored[i]!;
      if (scores instanceof TeacherFailure) throw scores;
      return { trajectory, teacher: scores };
    });
    const metrics = await trainer.step(examples, mopd({ alpha: 0, topTokens }), version);
    // The sampler has the trainer's weights of every version.
    expect(metrics.mismatch.klPositive).toBeLessThan(1e-6);
    expect(metrics.algorithm.gatedLow ?? 0).toBe(0);
    gaps.push(metrics.algorithm.teacherGap!);
  }
  const last = gaps.slice(-4).reduce((sum, gap) => sum + gap / 4, 0);
  expect(last).toBeLessThan(0.6 * gaps[0]!);
  trainer.release();
  await teacher.close();
  releaseModel(student);
  expect(device.allocatedBytes).toBe(0);
  await device.destroy();
});
