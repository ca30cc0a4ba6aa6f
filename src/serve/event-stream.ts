/** Server-sent events, pulled by the client: nothing is made faster than it is read. */
import { clientLeft, type Ticket } from './admission.ts';
import type { ServerContext } from './context.ts';

export interface ServerEvent {
  /** The event's name, where the API gives them names. */
  event?: string;
  data: object | string;
}

/**
 * A response that streams events until they end, the client leaves, or the ticket aborts.
 *
 * @param onError the events to end with when making one throws; headers are long gone by then.
 */
export function eventStream(
  { heartbeatSeconds }: ServerContext,
  ticket: Ticket,
  events: AsyncGenerator<ServerEvent>,
  onError: (error: unknown) => readonly ServerEvent[],
): Response {
  const utf8 = new TextEncoder();
  let isCancelled = false;
  /** The event that is waited for, for as many pulls as it takes. */
  let next: Promise<IteratorResult<ServerEvent>> | null = null;
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      const write = (event: ServerEvent) => controller.enqueue(utf8.encode(writeEvent(event)));
      try {
        next ??= events.next();
        const result = await within(next, heartbeatSeconds);
        if (isCancelled) return;
        if (result === null) {
          controller.enqueue(utf8.encode(': still here\n\n'));
          return;
        }
        next = null;
        if (!result.done) {
          write(result.value);
          return;
        }
      } catch (error) {
        if (isCancelled) return;
        onError(error).forEach(write);
      }
      ticket.leave();
      controller.close();
    },
    async cancel() {
      isCancelled = true;
      ticket.abort(clientLeft());
      // Ends what is between two events; that it was aborted is no news.
      await events.return(undefined).catch(() => undefined);
      ticket.leave();
    },
  });
  return new Response(body, {
    headers: {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-cache, no-transform',
      'x-accel-buffering': 'no',
    },
  });
}

/** What a promise gives, or null if it takes longer. */
async function within<Value>(promise: Promise<Value>, seconds: number): Promise<Value | null> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<null>((resolve) => {
    timer = setTimeout(() => resolve(null), seconds * 1000);
  });
  try {
    return await Promise.race([promise, timeout]);
  } finally {
    clearTimeout(timer);
  }
}

function writeEvent({ event, data }: ServerEvent): string {
  const text = typeof data === 'string' ? data : JSON.stringify(data);
  return `${event === undefined ? '' : `event: ${event}\n`}data: ${text}\n\n`;
}
