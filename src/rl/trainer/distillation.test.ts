/** MOPD, rollouts and all, moves a student to its teacher. */
import { expect, test } from 'vitest';
import { sample } from '../../../test/rl/rollouts.ts';
import { tinyConfig } from '../../../test/tiny-config.ts';
import { createWasmDevice } from '../../device/wasm/device.ts';
import { initializeModel } from '../../model/initialize.ts';
import { releaseModel } from '../../model/weights.ts';
import { type MopdOptions, mopd } from '../algorithms/mopd.ts';
import { ModelTeacher } from '../teachers/model-teacher.ts';
import type { Trajectory } from '../trajectory.ts';
import { PolicyTrainer } from './policy-trainer.ts';

const prompts = [[3], [5], [7], [9]];

test.each([
  ['of the drawn token', { alpha: 0 }],
  ['over top tokens', { alpha: 0, topTokens: 8 }],
] satisfies [string, MopdOptions][])('the reverse KL falls: %s', async (_, options) => {
  const device = await createWasmDevice({ threads: 1 });
  const student = await initializeModel(device, tinyConfig(), 1);
  const model = await initializeModel(device, tinyConfig(), 2);
  const teacher = new ModelTeacher('teacher', {
    load: async () => model,
    resident: true,
    microBatchTokens: 2048,
  });
  const trainer = new PolicyTrainer(student, {
    schedule: () => 1e-2,
    adamw: { weightDecay: 0 },
    microBatchTokens: 2048,
  });
  const gaps: number[] = [];
  console.time('t');
  for (let version = 0; version < 30; version++) {
    const drawn: Trajectory[] = await sample(student, {
      prompts,
      samples: 16,
      maxTokens: 8,
      seed: version,
      version,
    });
    const scored = await teacher.score(drawn, options.topTokens ?? 0);
    const examples = drawn.map((trajectory, i) => ({ trajectory, teacher: scored[i]! }));
    const metrics = await trainer.step(examples, mopd(options), version);
    expect(metrics.mismatch.klPositive).toBeLessThan(1e-6);
    gaps.push(metrics.algorithm.teacherGap!);
  }
  console.timeEnd('t');
  console.log(gaps);
  trainer.release();
  await teacher.close();
  releaseModel(student);
  await device.destroy();
});
