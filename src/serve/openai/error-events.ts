import { openAiError, toApiError } from '../errors.ts';
import type { ServerEvent } from '../event-stream.ts';
import { reportError } from '../report-error.ts';

/** What a stream without named events ends with that failed. */
export function errorEvents(error: unknown): ServerEvent[] {
  return [{ data: openAiError(reportError(toApiError(error))) }];
}
