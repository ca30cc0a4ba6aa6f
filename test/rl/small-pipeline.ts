/** Post-training at a scale of seconds: two teachers of one family, in English and in Chinese. */
import fs from 'node:fs/promises';
import { join } from 'node:path';
import { toHubConfig } from '../../src/model/hub-config.ts';
import { checkpointName } from '../../src/train/run-directory.ts';
import { tinyConfig } from '../tiny-config.ts';

const attention = {
  ...{ heads: 4, keyValueHeads: 2, headDim: 16, valueHeadDim: 8, rotaryDim: 8, ropeTheta: 10_000 },
};
const config = tinyConfig({
  maxPositions: 192,
  intermediateSize: 48,
  initializerRange: 0.1,
  mtpHeads: 1,
  globalAttention: { ...attention, window: null, sink: false },
  slidingAttention: { ...attention, window: 32, sink: true },
  experts: { ...tinyConfig().experts, intermediateSize: 16 },
});

const families = { safety: 1 };
const easy = { levels: { easy: 1 }, thinking: 0 };
const english = { domain: 'english', families, ...easy, chinese: 0, maxTokens: 24 };
const chinese = { domain: 'chinese', families, ...easy, chinese: 1, maxTokens: 24 };

export const steps = { base: 80, sft: 20, teacher: 12, mopd: 20 };
const last = (output: string, count: number) => join(output, checkpointName(count));

/** A run of reinforcement learning that begins with the result of SFT. */
export function policyJson(output: string, changes: object = {}): Record<string, unknown> {
  return {
    ...{ output, seed: 5, model: { checkpoint: last('sft', steps.sft) } },
    schedule: { groups: 4, groupSize: 8, concurrency: 32, maxReplaced: 500 },
    ...{ microBatchTokens: 1024, maxLength: 160 },
    learningRate: { peak: 6e-3, floor: 6e-3 },
    ...changes,
  };
}

export function teacherJson(output: string, changes: object = {}): Record<string, unknown> {
  const source = output.includes('chinese') ? chinese : english;
  const evaluation = { every: steps.teacher, problems: 128, temperature: 1 };
  const own = { stage: 'teacher', sources: [source], steps: steps.teacher, evaluation };
  return policyJson(output, { ...own, ...changes });
}

/** Writes the pipeline and its configs into a folder → the pipeline's file. */
export async function writePipeline(folder: string): Promise<string> {
  const { vocab_size, eos_token_id, pad_token_id, ...shape } = toHubConfig(config);
  const sizes = { microBatchTokens: 1024, maxLength: 160 };
  const data = { families, ...easy, chinese: 0.5 };
  const configs: Record<string, object> = {
    base: {
      ...{ output: 'base', seed: 3, model: { config: shape }, steps: steps.base, ...sizes },
      tokenizer: { train: { vocabSize: 500, samples: 400 } },
      data: [{ tasks: 'train', learn: 'all', ...data }],
      batchTokens: 2048,
      learningRate: { peak: 1e-2, floor: 3e-3, warmupSteps: 5 },
    },
    sft: {
      ...{ stage: 'sft', output: 'sft', seed: 4, steps: steps.sft, ...sizes },
      model: { checkpoint: last('base', steps.base), mtpHeads: 2 },
      data: [{ tasks: 'train', ...data }],
      batchSequences: 32,
      learningRate: { peak: 3e-3, floor: 1e-3 },
    },
    english: teacherJson('english'),
    chinese: teacherJson('chinese'),
    student: policyJson('student', {
      ...{ stage: 'mopd', sources: [english, chinese], steps: steps.mopd, mopd: { alpha: 0.3 } },
      compareReplayEvery: 10,
      teachers: {
        english: { checkpoint: last('english', steps.teacher) },
        chinese: { checkpoint: last('chinese', steps.teacher) },
      },
      schedule: { groups: 8, groupSize: 4, concurrency: 32, groupsAhead: 0 },
      learningRate: { peak: 5e-3, floor: 1e-3 },
      evaluation: { every: steps.mopd, problems: 128, temperature: 1 },
    }),
  };
  for (const [name, json] of Object.entries(configs)) {
    await fs.writeFile(join(folder, `${name}.json`), JSON.stringify(json));
  }
  const path = join(folder, 'pipeline.json');
  const stages = Object.keys(configs).map((name) => `${name}.json`);
  await fs.writeFile(path, JSON.stringify({ stages }));
  return path;
}
