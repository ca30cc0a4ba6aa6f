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
