/** What config files have in common: their simplest fields, and how people are told what is wrong in one. */
import { z } from 'zod';
import { UserError } from './errors.ts';

export const positive = z.number('must be a number').positive('must be more than 0');
export const natural = z.number('must be a number').min(0, 'must be 0 or more');
export const share = natural.max(1, 'must be 1 or less');
export const count = z.int('must be a whole number').min(1, 'must be 1 or more');
export const countOrZero = z.int('must be a whole number').min(0, 'must be 0 or more');
export const text = z.string('must be a text').min(1, 'must not be empty');

/**
 * What the schema makes of a file's JSON.
 *
 * @throws UserError naming the file and the field
 */
export function parseConfig<Schema extends z.ZodType>(
  schema: Schema,
  json: unknown,
  path: string,
): z.output<Schema> {
  const result = schema.safeParse(json, { reportInput: true });
  if (result.success) return result.data;
  throw new UserError(`${path}: ${describeIssue(result.error.issues[0]!)}`);
}

/** One line about what is wrong with a file's JSON: where, what, and what to do. */
export function describeIssue(issue: z.core.$ZodIssue): string {
  const where = issue.path.join('.');
  if (issue.code === 'unrecognized_keys') {
    const key = [where, issue.keys[0]].filter(Boolean).join('.');
    return `${key} is not known; check its spelling or remove it`;
  }
  const missing = 'input' in issue && issue.input === undefined;
  return [where, missing && where ? 'is missing' : issue.message].filter(Boolean).join(' ');
}
