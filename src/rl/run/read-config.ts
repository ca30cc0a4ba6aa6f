/** Reads the config of a run of any stage. */
import { dirname, resolve } from 'node:path';
import { UserError } from '../../errors.ts';
import { isJsonObject, laidOver } from '../../json.ts';
import { readJsonFile } from '../../json-file.ts';
import { parseTrainingConfig, type TrainingConfig } from '../../train/config.ts';
import { stageNames } from '../../train/stages.ts';
import { type PolicyConfig, parsePolicyConfig, policyStages } from './config.ts';

export type RunConfig =
  | { kind: 'training'; config: TrainingConfig }
  | { kind: 'policy'; config: PolicyConfig };

/**
 * A config may say `"extends": "other.json"`: then it is the other file's, in the same folder, with its own
 * keys in place; of keys that hold objects, those of the objects.
 *
 * @throws UserError naming the file and the field
 */
export async function readRunConfig(path: string): Promise<RunConfig> {
  const json = await readExtended(path, []);
  const stage = (json as { stage?: unknown } | null)?.stage ?? 'pretraining';
  if (policyStages.includes(stage as string)) {
    return { kind: 'policy', config: parsePolicyConfig(json, path) };
  }
  if (!(stageNames as readonly unknown[]).includes(stage)) {
    const known = [...stageNames, ...policyStages].join(', ');
    throw new UserError(`${path}: stage must be one of ${known}`);
  }
  return { kind: 'training', config: parseTrainingConfig(json, path) };
}

async function readExtended(path: string, from: readonly string[]): Promise<unknown> {
  return withExtended(await readJsonFile(path), path, from);
}

/**
 * A config's JSON over what it extends.
 *
 * @param path of the file that it is in
 * @param from files that extend it
 */
export async function withExtended(
  json: unknown,
  path: string,
  from: readonly string[] = [],
): Promise<unknown> {
  if (!isJsonObject(json) || json.extends === undefined) return json;
  const { extends: other, ...own } = json;
  const base = resolve(dirname(path), String(other));
  // Paths in both are relative to one folder.
  if (dirname(base) !== dirname(resolve(path))) {
    throw new UserError(`${path}: extends must name a file in the same folder`);
  }
  if (from.includes(base))
    throw new UserError(`${path}: extends ${other}, which extends this file`);
  const extended = await readExtended(base, [...from, resolve(path)]);
  if (!isJsonObject(extended)) throw new UserError(`${base}: must be an object`);
  return laidOver(extended, own);
}
