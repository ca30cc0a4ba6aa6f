/** Says of a body that fits no schema which field is wrong, and what it should be. */
import type { z } from 'zod';

export interface FieldError {
  /** As `messages[0].content`; empty for the body itself. */
  field: string;
  message: string;
}

/** The first error of those that parsing with `explainIssue` has found. */
export function fieldErrorOf(issues: readonly z.core.$ZodIssue[]): FieldError {
  const { path, message } = deepest(issues);
  const field = path
    .map((part) => (typeof part === 'number' ? `[${part}]` : `.${String(part)}`))
    .join('')
    .replace(/^\./, '');
  return { field, message };
}

/** What to say where a schema has no words of its own. */
export function explainIssue(issue: z.core.$ZodRawIssue): string | undefined {
  switch (issue.code) {
    case 'invalid_type':
      return issue.input === undefined ? 'is missing' : `must be ${nameOf(issue.expected)}`;
    case 'invalid_value':
      return `must be ${anyOf(issue.values.map((value) => JSON.stringify(value)))}`;
    case 'invalid_union':
      return issue.input === undefined ? 'is missing' : 'is of none of the types that it may have';
    case 'invalid_key':
      return 'is no name that there can be here';
    case 'invalid_format':
      return 'has not the form that it should have';
    case 'too_small': {
      const { minimum, inclusive = true } = issue;
      const unit = unitOf(issue.origin);
      if (unit === null) return `must be ${inclusive ? 'at least' : 'more than'} ${minimum}`;
      return minimum === 1 ? 'must not be empty' : `must have at least ${minimum} ${unit}`;
    }
    case 'too_big': {
      const { maximum, inclusive = true } = issue;
      const unit = unitOf(issue.origin);
      if (unit === null) return `must be ${inclusive ? 'at most' : 'less than'} ${maximum}`;
      return `must have at most ${maximum} ${unit}`;
    }
    default:
      return undefined;
  }
}

interface Issue {
  path: PropertyKey[];
  message: string;
}

/** Of alternatives that all failed, the one that got furthest says best what was meant. */
function deepest(issues: readonly z.core.$ZodIssue[]): Issue {
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
  return issue;
}

function nameOf(expected: string): string {
  const names: Record<string, string> = {
    string: 'a text',
    boolean: 'true or false',
    int: 'a whole number',
    array: 'a list',
    record: 'an object',
  };
  return names[expected] ?? (/^[aeiou]/.test(expected) ? `an ${expected}` : `a ${expected}`);
}

/** What a length is counted in; null for what is a number itself. */
function unitOf(origin: string): string | null {
  if (origin === 'string') return 'characters';
  return origin === 'array' ? 'items' : null;
}

function anyOf(values: readonly string[]): string {
  return [values.slice(0, -1).join(', '), values.at(-1)].filter(Boolean).join(' or ');
}
