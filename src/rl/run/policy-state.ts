/** What a run of reinforcement learning keeps beside its model and its moments, to go on. */
import { basename } from 'node:path';
import { z } from 'zod';
import { assertSameKeys } from '../../train/same-run.ts';
import { readStateAs } from '../../train/state.ts';
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

export function readPolicyState(directory: string): Promise<PolicyState> {
  return readStateAs(stateSchema, directory);
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
  assertSameKeys(decisive(config), decisive(state.config), checkpoint);
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
  ...['evaluation', 'judge', 'schedule', 'tools', 'compareReplayEvery'],
];
