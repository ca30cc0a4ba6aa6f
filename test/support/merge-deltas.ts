import type { ResponseEvent } from '../../src/text/response-parser.ts';

/** Neighbouring deltas of one kind as one: how a response came in pieces is no matter. */
export function mergeDeltas(events: readonly ResponseEvent[]): ResponseEvent[] {
  const merged: ResponseEvent[] = [];
  for (const event of events) {
    const last = merged.at(-1);
    if (event.type === 'tool-call-delta' && last?.type === event.type) {
      merged[merged.length - 1] = { type: event.type, json: last.json + event.json };
    } else if (
      (event.type === 'text-delta' || event.type === 'reasoning-delta') &&
      last?.type === event.type
    ) {
      merged[merged.length - 1] = { type: event.type, text: last.text + event.text };
    } else {
      merged.push(event);
    }
  }
  return merged;
}
