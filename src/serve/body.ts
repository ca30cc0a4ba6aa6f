/** Reads the JSON body of a request, as the schema of its route wants it. */
import type { Context } from 'hono';
import type { z } from 'zod';
import { ApiError, invalid } from './errors.ts';

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
export function parseWith<Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
): z.output<Schema> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const { path, message } = deepest(result.error.issues);
  const field = fieldOf(path);
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

interface FoundIssue {
  path: PropertyKey[];
  message: string;
}

/** Of alternatives that all failed, the one that got furthest says best what was meant. */
function deepest(issues: readonly z.core.$ZodIssue[]): FoundIssue {
  const issue = issues[0]!;
  if (issue.code === 'unrecognized_keys') {
    return { path: [...issue.path, issue.keys[0]!], message: 'is not a field of this request' };
  }
  if (issue.code === 'invalid_union' && issue.errors.length > 0) {
    const [best] = issue.errors
      .filter((inner) => inner.length > 0)
      .map(deepest)
      .sort((a, b) => b.path.length - a.path.length);
    if (best !== undefined && best.path.length > 0) {
      return { path: [...issue.path, ...best.path], message: best.message };
    }
  }
  return { path: issue.path, message: lowerFirst(issue.message) };
}

/** `messages[0].content`. */
function fieldOf(path: readonly PropertyKey[]): string {
  return path
    .map((part) => (typeof part === 'number' ? `[${part}]` : `.${String(part)}`))
    .join('')
    .replace(/^\./, '');
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}
