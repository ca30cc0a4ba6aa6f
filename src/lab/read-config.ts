/** Reads the JSON file of an experiment: its usual settings, or those that show in seconds that it works. */
import { parseConfig } from '../config-fields.ts';
import { UserError } from '../errors.ts';
import { isJsonObject } from '../json.ts';
import { readJsonFile } from '../json-file.ts';
import { withExtended } from '../rl/run/read-config.ts';
import type { Experiment } from './experiment.ts';

/** @throws UserError naming the file and the field */
export async function readConfig<Config, Outcome>(
  { schema }: Experiment<Config, Outcome>,
  { configPath, quick }: { configPath: string; quick: boolean },
): Promise<Config> {
  const whole = await extendAll(await readJsonFile(configPath), configPath);
  if (!isJsonObject(whole)) throw new UserError(`${configPath}: must be a JSON object`);
  const { quick: changes, ...usual } = whole;
  if (quick && changes === undefined) throw new UserError(`${configPath}: has no "quick"`);
  return parseConfig(schema, quick ? merge(usual, changes) : usual, configPath);
}

/** Runs within an experiment may extend the configs of others, as any run's config may. */
async function extendAll(json: unknown, path: string): Promise<unknown> {
  if (!isJsonObject(json)) return json;
  const own = await Promise.all(
    Object.entries(json).map(async ([key, value]) => [key, await extendAll(value, path)]),
  );
  return withExtended(Object.fromEntries(own), path);
}

/** `changes` over `base`: objects are merged, all else is replaced. */
function merge(base: unknown, changes: unknown): unknown {
  if (!isJsonObject(base) || !isJsonObject(changes)) return changes;
  const merged = { ...base };
  for (const [key, value] of Object.entries(changes)) merged[key] = merge(base[key], value);
  return merged;
}
