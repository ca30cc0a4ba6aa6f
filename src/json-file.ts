import fs from 'node:fs/promises';
import { asUserError } from './checkpoint/file-errors.ts';
import { UserError } from './errors.ts';

/** @throws UserError if the file cannot be read or is not JSON */
export async function readJsonFile(path: string): Promise<unknown> {
  const text = await fs.readFile(path, 'utf8').catch((error) => {
    throw asUserError(error, `cannot read ${path}`);
  });
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new UserError(
      `${path}: is not JSON: ${(error as Error).message.replaceAll(/\s+/g, ' ')}`,
    );
  }
}

export type JsonObject = Record<string, unknown>;

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** `own` over `base`, key by key; where both hold objects, these in the same way, but no deeper. */
export function laidOver(base: JsonObject, own: JsonObject): JsonObject {
  const merged = { ...base };
  for (const [key, value] of Object.entries(own)) {
    const below = merged[key];
    merged[key] = isJsonObject(below) && isJsonObject(value) ? { ...below, ...value } : value;
  }
  return merged;
}
