/** Reads the JSON body of a request, as the schema of its route wants it. */
import type { Context } from 'hono';
import type { z } from 'zod';
import { ApiError, invalid } from './errors.ts';
import { explainIssue, fieldErrorOf } from './field-errors.ts';

/** Deeper JSON than anyone means, so that nothing which walks it runs out of stack. */
const MAX_DEPTH = 100;

/**
 * The body as the schema gives it.
 *
 * @throws {ApiError} naming the first field that is wrong.
 */
export async function readBody<Schema extends z.ZodType>(
  c: Context,
  schema: Schema,
): Promise<z.output<Schema>> {
  // Browsers send other types to any server without asking it first, so those are no safe sign of
  // a client that means this one.
  const type = c.req.header('content-type') ?? '';
  if (!/^application\/json\s*(;|$)/i.test(type)) {
    throw new ApiError(
      'media-type',
      `the content type is "${type}"; send JSON with "content-type: application/json"`,
    );
  }
  return parseWith(schema, parseJson(await c.req.text()));
}

/** @throws {ApiError} naming the first field that is wrong. */
function parseWith<Schema extends z.ZodType>(schema: Schema, value: unknown): z.output<Schema> {
  const result = schema.safeParse(value, { error: explainIssue });
  if (result.success) return result.data;
  const { field, message } = fieldErrorOf(result.error.issues);
  if (field === '') throw new ApiError('invalid', `the body: ${message}`);
  throw invalid(field, message);
}

function parseJson(text: string): unknown {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new ApiError('invalid', `the body is not JSON: ${(error as Error).message}`, {
      cause: error,
    });
  }
  let level: unknown[] = [value];
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > MAX_DEPTH) {
      throw new ApiError('invalid', `the body is nested deeper than ${MAX_DEPTH} levels`);
    }
    level = level.flatMap((item) =>
      typeof item === 'object' && item !== null ? Object.values(item) : [],
    );
  }
  return value;
}
