import type { ResponseEvent } from '../../src/text/response-parser.ts';

/** Neighbouring deltas of one kind as one: how a response came in pieces is no matter. */
export function mergeDeltas(events: readonly ResponseEvent[]): ResponseEvent[] {
  const merged: ResponseEvent[] = [];
  for (const event of events) {
    const last = merged.at(-1);
    if ('text' in event && last?.type === event.type && event.type !== 'unknown-tool-call') {
      merged[merged.length - 1] = {
        type: event.type,
        text: (last as typeof event).text + event.text,
      };
    } else {
      merged.push(event);
    }
  }
  return merged;
}
