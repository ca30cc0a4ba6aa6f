/** Errors that a client gets to see, and the forms in which each API writes them. */
import { UserError } from '../errors.ts';

/** Kind of an error: its HTTP status, and its name in OpenAI's and in Anthropic's API. */
const KINDS = {
  invalid: [400, 'invalid_request_error', 'invalid_request_error'],
  authentication: [401, 'authentication_error', 'authentication_error'],
  permission: [403, 'permission_error', 'permission_error'],
  'not-found': [404, 'invalid_request_error', 'not_found_error'],
  method: [405, 'invalid_request_error', 'invalid_request_error'],
  'too-large': [413, 'invalid_request_error', 'request_too_large'],
  'media-type': [415, 'invalid_request_error', 'invalid_request_error'],
  busy: [429, 'rate_limit_error', 'rate_limit_error'],
  internal: [500, 'server_error', 'api_error'],
  unavailable: [503, 'server_error', 'overloaded_error'],
  timeout: [504, 'timeout_error', 'timeout_error'],
} as const;

export type ApiErrorKind = keyof typeof KINDS;

export interface ApiErrorDetails {
  /** The field of the request that is wrong, as `messages[0].content`. */
  field?: string | null;
  /** A word that programs may look for. */
  code?: string;
  retryAfterSeconds?: number;
  cause?: unknown;
}

export class ApiError extends Error {
  override name = 'ApiError';
  readonly kind: ApiErrorKind;
  readonly field: string | null;
  readonly code: string | null;
  readonly retryAfterSeconds: number | null;

  constructor(kind: ApiErrorKind, message: string, details: ApiErrorDetails = {}) {
    const { field = null, code = null, retryAfterSeconds = null, cause } = details;
    super(message, { cause });
    this.kind = kind;
    this.field = field;
    this.code = code;
    this.retryAfterSeconds = retryAfterSeconds;
  }

  get status() {
    return KINDS[this.kind][0];
  }
}

/** A field with a value that cannot be served. */
export function invalid(field: string, message: string, code?: string): ApiError {
  const details = code === undefined ? { field } : { field, code };
  return new ApiError('invalid', `${field}: ${message}`, details);
}

/**
 * What a client is told about anything that was thrown. What is not for people is a bug of ours, of
 * which it is told no more than that.
 */
export function toApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  // Of the engine, such as that its memory is full.
  if (error instanceof UserError) {
    return new ApiError('unavailable', error.message, { retryAfterSeconds: 5, cause: error });
  }
  return new ApiError('internal', 'the server failed on this request; its log says more', {
    cause: error,
  });
}

/** Writes an error as one of the APIs does. */
export type ErrorForm = (error: ApiError) => object;

/** Also that of the routes that are neither API's. */
export const openAiError: ErrorForm = ({ kind, message, field, code }) => ({
  error: { message, type: KINDS[kind][1], param: field, code },
});

export const anthropicError: ErrorForm = ({ kind, message }) => ({
  type: 'error',
  error: { type: KINDS[kind][2], message },
});
