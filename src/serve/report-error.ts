import type { ApiError } from './errors.ts';

/** Logs an error that is a bug of ours, with its stack; → the error. */
export function reportError(error: ApiError): ApiError {
  if (error.kind === 'internal') console.error(error.cause ?? error);
  return error;
}
