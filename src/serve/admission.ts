/**
 * Lets requests in up to a limit, gives each its time limit, and shows them out at shutdown. What a
 * request does hangs on its ticket's signal, so that whatever ends it early ends its work.
 */
import { ApiError } from './errors.ts';

export interface AdmissionLimits {
  /** Answers that may be waiting or in work; a request with `n` counts n times. */
  requests: number;
  /** Longest time of one request, in seconds. */
  seconds: number;
}

export interface Ticket {
  /** What the client calls the request, where it has a name for it. */
  readonly name: string | null;
  /** Aborts with an {@link ApiError} that says why. */
  readonly signal: AbortSignal;
  /** Ends the request early, as when its client has left, and gives its place back. */
  abort(error: ApiError): void;
  /** To be called once the request is over. */
  leave(): void;
}

/** What a request ends with whose client has gone; nobody gets to read it. */
export const clientLeft = () => new ApiError('unavailable', 'the client left');

/** What a request ends with that someone asked to abort. */
export const aborted = () =>
  new ApiError('unavailable', 'the request was aborted', { code: 'aborted' });

export class Admission {
  readonly #limits: AdmissionLimits;
  readonly #tickets = new Set<Ticket>();
  #count = 0;
  #closing = false;
  /** Of past requests, the recent ones weighing more; `null` before there is one. */
  #meanSeconds: number | null = null;
  #whenEmpty: (() => void) | null = null;

  constructor(limits: AdmissionLimits) {
    this.#limits = limits;
  }

  get isClosing(): boolean {
    return this.#closing;
  }

  /** Answers let in and not yet over. */
  get count(): number {
    return this.#count;
  }

  /**
   * @param client aborts when the client leaves.
   * @param answers how many the request asks for.
   * @throws {ApiError} if there is no room.
   */
  enter(client: AbortSignal, answers = 1, name: string | null = null): Ticket {
    this.check(answers);
    return this.#ticket(client, answers, name);
  }

  /** @throws {ApiError} if there is no room for so many answers. */
  check(answers = 1): void {
    const { requests } = this.#limits;
    if (this.#closing) {
      throw new ApiError('unavailable', 'the server is shutting down; try another or later', {
        retryAfterSeconds: 5,
      });
    }
    if (answers > requests) {
      throw new ApiError(
        'invalid',
        `the request asks for ${answers} answers at once; this server takes ${requests}`,
      );
    }
    if (this.#count + answers > requests) {
      throw new ApiError(
        'busy',
        `the server is full: ${this.#count} requests are waiting or in work, and it takes ${requests}; try again later`,
        { code: 'queue_full', retryAfterSeconds: this.#expectedSeconds() },
      );
    }
  }

  /** Aborts the requests of a name, or all; → how many. */
  abort(name: string | null): number {
    const found = [...this.#tickets].filter((ticket) => name === null || ticket.name === name);
    for (const ticket of found) ticket.abort(aborted());
    return found.length;
  }

  /** Lets nobody in any more; → when the last has left, at the latest when `seconds` have passed. */
  async close(seconds: number): Promise<void> {
    this.#closing = true;
    if (this.#tickets.size === 0) return;
    const empty = new Promise<void>((resolve) => {
      this.#whenEmpty = resolve;
    });
    const timer = setTimeout(() => {
      const error = new ApiError('unavailable', 'the server is shutting down');
      for (const ticket of this.#tickets) ticket.abort(error);
    }, seconds * 1000);
    await empty;
    clearTimeout(timer);
  }

  #ticket(client: AbortSignal, answers: number, name: string | null): Ticket {
    const { seconds } = this.#limits;
    const controller = new AbortController();
    const begin = performance.now();
    const onClientLeft = () => ticket.abort(clientLeft());
    const timer = setTimeout(() => {
      ticket.abort(
        new ApiError('timeout', `the request took longer than ${seconds} s; ask for fewer tokens`),
      );
    }, seconds * 1000);
    const ticket: Ticket = {
      name,
      signal: controller.signal,
      abort: (error) => {
        controller.abort(error);
        // A client that does not read would otherwise keep its place.
        ticket.leave();
      },
      leave: () => {
        if (!this.#tickets.delete(ticket)) return;
        clearTimeout(timer);
        client.removeEventListener('abort', onClientLeft);
        this.#count -= answers;
        this.#remember((performance.now() - begin) / 1000);
        if (this.#tickets.size === 0) this.#whenEmpty?.();
      },
    };
    this.#tickets.add(ticket);
    this.#count += answers;
    if (client.aborted) onClientLeft();
    else client.addEventListener('abort', onClientLeft, { once: true });
    return ticket;
  }

  #remember(seconds: number): void {
    const before = this.#meanSeconds ?? seconds;
    this.#meanSeconds = before + (seconds - before) / 16;
  }

  /** When a place should be free: each of the requests in work is half done on average. */
  #expectedSeconds(): number {
    return Math.min(60, Math.max(1, Math.ceil((this.#meanSeconds ?? 1) / 2)));
  }
}
