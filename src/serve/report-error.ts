import type { ApiError } from './errors.ts';

/**
 * Logs an error that is a bug of ours, with its stack.
 *
 * @param request the id of the request, where it is known.
 * @returns the error.
 */
export function reportError(error: ApiError, request?: string): ApiError {
  if (error.kind === 'internal') {
    console.error(...(request === undefined ? [] : [`request ${request}:`]), error.cause ?? error);
  }
  return error;
}
