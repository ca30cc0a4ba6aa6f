/** What a run of reinforcement learning keeps beside its model and its moments, to go on. */
import fs from 'node:fs/promises';
import { basename, join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import { asUserError } from '../../checkpoint/file-errors.ts';
import { UserError } from '../../errors.ts';
import { RunDirectory } from '../../train/run-directory.ts';
import { STATE_FILE } from '../../train/state.ts';
import type { PolicyConfig } from './config.ts';

const natural = z.int().min(0);
const stateSchema = z.object({
  kind: z.literal('policy'),
  /** Steps taken: the batches that the scheduler has given, and the version of the weights. */
  step: natural,
  /** The optimizer's own count: a step in which nothing has a weight is none of its. */
  updates: natural,
  /** Tokens trained on. */
  tokens: natural,
  seconds: z.number().min(0),
  precision: z.enum(['f32', 'mixed']),
  /** The run's config as it was parsed. */
  config: z.record(z.string(), z.unknown()),
});

export type PolicyState = z.infer<typeof stateSchema>;

/** @throws UserError when the directory holds no state of such a run, or a damaged one */
export async function readPolicyState(directory: string): Promise<PolicyState> {
  const path = join(directory, STATE_FILE);
  const text = await fs.readFile(path, 'utf8').catch((error) => {
    throw asUserError(error, `cannot read ${path}`);
  });
  try {
    return stateSchema.parse(JSON.parse(text));
  } catch (error) {
    throw new UserError(
      `${path}: is damaged, or of another kind of run; remove ${directory} to go on from an earlier ` +
        'checkpoint, or choose another output',
      { cause: error },
    );
  }
}

/** As `precisionOf` for other runs. */
export async function policyPrecisionOf({ precision, output }: PolicyConfig) {
  if (precision !== 'auto') return precision;
  const checkpoint = await (await RunDirectory.open(output)).newestCheckpoint();
  return checkpoint ? (await readPolicyState(checkpoint)).precision : precision;
}

/**
 * A run may go on longer, on another machine, and report otherwise, but not train otherwise.
 *
 * @throws UserError naming the key that is another
 */
export function assertSamePolicyRun(
  config: PolicyConfig,
  state: PolicyState,
  checkpoint: string,
): void {
  const [now, before] = [decisive(config), decisive(state.config)];
  for (const key of new Set([...Object.keys(now), ...Object.keys(before)])) {
    if (isDeepStrictEqual(now[key], before[key])) continue;
    throw new UserError(
      `${key} is not what the run in ${checkpoint} began with; put it back, or choose another output`,
    );
  }
}

/** As JSON keeps it; files may have moved to another folder. */
function decisive(config: object): Record<string, unknown> {
  const isPath = (key: string) => ['checkpoint', 'prompts', 'rubric'].includes(key);
  const json = JSON.parse(JSON.stringify(config), (key, value) =>
    isPath(key) && typeof value === 'string' ? basename(value) : value,
  );
  for (const key of changeable) delete json[key];
  return json;
}

const changeable = [
  ...['output', 'precision', 'steps', 'recompute', 'checkpointEvery', 'keepCheckpoints'],
  ...['evaluation', 'judge', 'schedule', 'compareReplayEvery'],
];
