import { toHubConfig } from '../../src/model/hub-config.ts';
import { smallConfig } from './small-model.ts';

/** The JSON of a run of a few seconds on the reference device. */
export function smallRun(changes: object = {}): Record<string, unknown> {
  const { vocab_size, eos_token_id, pad_token_id, ...shape } = toHubConfig(smallConfig);
  return {
    output: 'run',
    seed: 3,
    model: { config: shape },
    tokenizer: { train: { vocabSize: 300, samples: 50 } },
    data: [
      {
        tasks: 'train',
        learn: 'all',
        weight: 2,
        families: { arithmetic: 5, recall: 6, strings: 4, dialogue: 1.5 },
      },
      { tasks: 'train', families: { arithmetic: 1 } },
    ],
    steps: 6,
    batchTokens: 128,
    microBatchTokens: 64,
    maxLength: 64,
    learningRate: { peak: 0.01, floor: 0.001, warmupSteps: 2 },
    checkpointEvery: 2,
    ...changes,
  };
}
