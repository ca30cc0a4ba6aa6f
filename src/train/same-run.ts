/** Whether a run that goes on is the run that was begun. */
import { basename } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { UserError } from '../errors.ts';
import type { TrainingConfig } from './config.ts';
import type { TrainerState } from './state.ts';

/**
 * A run may go on longer and report otherwise, but not train otherwise.
 *
 * @throws UserError naming the key of the config that is another
 */
export function assertSameRun(
  config: TrainingConfig,
  state: TrainerState,
  checkpoint: string,
): void {
  assertSameKeys(decisive(config), decisive(state.config as TrainingConfig), checkpoint);
}

/** @throws UserError naming the key whose value is not what the run in `checkpoint` began with */
export function assertSameKeys(
  now: Readonly<Record<string, unknown>>,
  before: Readonly<Record<string, unknown>>,
  checkpoint: string,
): void {
  for (const key of new Set([...Object.keys(now), ...Object.keys(before)])) {
    if (isDeepStrictEqual(now[key], before[key])) continue;
    throw new UserError(
      `${key} is not what the run in ${checkpoint} began with; put it back, ` +
        'or choose another output (model.checkpoint can begin with these weights)',
    );
  }
}

/** What decides the steps that are still to come; files may have moved to another folder. */
function decisive(config: TrainingConfig): Record<string, unknown> {
  const { seed, model, tokenizer } = config;
  const name = (path: string | undefined) => path !== undefined && basename(path);
  const data = config.data.map(({ jsonl, text, parquet, maxMalformed, ...entry }) => ({
    ...entry,
    file: basename(jsonl ?? text ?? parquet ?? ''),
  }));
  return {
    seed,
    model: {
      ...model,
      config: typeof model.config === 'string' ? name(model.config) : model.config,
      checkpoint: name(model.checkpoint),
    },
    tokenizer: { ...tokenizer, directory: name(tokenizer?.directory) },
    data,
    ...Object.fromEntries(plain.map((key) => [key, config[key]])),
  };
}

/** Decisive as they are. */
const plain = [
  ...(['batchTokens', 'batchSequences', 'microBatchTokens', 'maxLength'] as const),
  ...(['learningRate', 'adamw', 'clipNorm'] as const),
  ...(['mtpLossWeight', 'expertBiasRate', 'balanceCoefficient'] as const),
];
