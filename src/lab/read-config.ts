/** Reads the JSON file of an experiment: its usual settings, or those that show in seconds that it works. */
import { z } from 'zod';
import { UserError } from '../errors.ts';
import { readJsonFile } from '../json-file.ts';
import { withExtended } from '../rl/run/read-config.ts';
import { describeIssue } from '../train/config.ts';
import type { Experiment } from './experiment.ts';

const jsonObject = z.record(z.string(), z.unknown());
type Json = z.infer<typeof jsonObject>;

/** @throws UserError naming the file and the field */
export async function readConfig<Config, Outcome>(
  { schema }: Experiment<Config, Outcome>,
  { configPath, quick }: { configPath: string; quick: boolean },
): Promise<Config> {
  const whole = jsonObject.safeParse(await readJsonFile(configPath));
  if (!whole.success) throw new UserError(`${configPath}: must be a JSON object`);
  const { quick: changes, ...usual } = (await extendAll(whole.data, configPath)) as Json;
  if (quick && changes === undefined) throw new UserError(`${configPath}: has no "quick"`);
  const result = schema.safeParse(quick ? merge(usual, changes) : usual, { reportInput: true });
  if (result.success) return result.data;
  throw new UserError(`${configPath}: ${describeIssue(result.error.issues[0]!)}`);
}

/** Runs within an experiment may extend the configs of others, as any run's config may. */
async function extendAll(json: unknown, path: string): Promise<unknown> {
  if (!isObject(json)) return json;
  const own = await Promise.all(
    Object.entries(json).map(async ([key, value]) => [key, await extendAll(value, path)]),
  );
  return withExtended(Object.fromEntries(own), path);
}

/** `changes` over `base`: objects are merged, all else is replaced. */
function merge(base: unknown, changes: unknown): unknown {
  if (!isObject(base) || !isObject(changes)) return changes;
  const merged = { ...base };
  for (const [key, value] of Object.entries(changes)) merged[key] = merge(base[key], value);
  return merged;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
