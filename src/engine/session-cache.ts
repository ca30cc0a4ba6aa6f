import type { CachedSequence } from './cached-sequence.ts';
import type { Request, Running } from './engine-request.ts';
import type { PrefixCache } from './prefix-cache.ts';

/** A conversation between two of its turns. */
interface Session {
  sequence: CachedSequence;
  /** Experts of its positions up to the sequence's length, from `firstRoute` on. */
  routes: Int32Array[];
  firstRoute: number;
}

/**
 * The request-level cache of agents that answer in several turns of the report: a conversation
 * keeps its sequence, keys and values of every layer and the experts that its positions were routed to,
 * and its next turn goes on exactly there. Nothing of it is computed again, and nothing is shared with
 * other requests, so that what is sampled is what was computed for it alone.
 *
 * When memory is short, what the prefix cache keeps goes first and then the conversation that has waited
 * longest; a turn that finds nothing begins anew.
 */
export class SessionCache {
  readonly #cache: PrefixCache;
  readonly #limit: number;
  /** The one that has waited longest first. */
  readonly #sessions = new Map<string, Session>();

  /** `limit`: most conversations kept. */
  constructor(cache: PrefixCache, limit: number) {
    this.#cache = cache;
    this.#limit = limit;
  }

  /** Pages that can be had, if all conversations were given up. */
  get availablePages(): number {
    let kept = 0;
    for (const { sequence } of this.#sessions.values()) kept += sequence.pages.length;
    return this.#cache.availablePages + kept;
  }

  /** A sequence for a request's tokens; null if there is no room for it beside `spare` pages. */
  open(request: Request, spare: number): CachedSequence | null {
    const { session, tokens, opening } = request;
    const resumed = session !== null && this.#resume(session, request);
    if (resumed) return resumed;
    const isPrivate = session !== null;
    const most = mostFound(request);
    do {
      const sequence = this.#cache.open(tokens, { ...opening, most, spare, isPrivate });
      if (sequence) return sequence;
    } while (this.#dropOldest());
    return null;
  }

  /** Sees to memory for the first `positions` of a sequence; false if there is not enough. */
  reserve(sequence: CachedSequence, positions: number): boolean {
    do {
      if (this.#cache.reserve(sequence, positions)) return true;
    } while (this.#dropOldest());
    return false;
  }

  /** Ends a request's use of its memory. One that is done may leave it to its next turn. */
  close({ session, sequence, generation, routes }: Running, isDone: boolean): void {
    if (!isDone || session === null || this.#limit === 0) {
      this.#cache.close(sequence);
      return;
    }
    const earlier = this.#sessions.get(session);
    if (earlier) this.#drop(session, earlier);
    if (this.#sessions.size >= this.#limit) this.#dropOldest();
    const ofPrompt = generation.report?.routes ?? [];
    const all = [...ofPrompt, ...routes];
    this.#sessions.set(session, {
      sequence,
      routes: all,
      firstRoute: sequence.length - all.length,
    });
  }

  /** Forgets all conversations, and all that is kept for later requests. */
  clear(): void {
    while (this.#dropOldest());
    this.#cache.clear();
  }

  /** Goes on with a conversation if its tokens are what the request begins with. */
  #resume(name: string, request: Request): CachedSequence | null {
    const session = this.#sessions.get(name);
    if (!session) return null;
    const { sequence, routes, firstRoute } = session;
    const { tokens, generation } = request;
    const { length } = sequence;
    const begins =
      tokens.length > length && sequence.tokens.every((token, i) => token === tokens[i]);
    if (begins) generation.report?.recall(routes, firstRoute);
    if (!begins || mostFound(request) < length) {
      this.#drop(name, session);
      return null;
    }
    this.#sessions.delete(name);
    for (const token of tokens.slice(sequence.tokens.length)) sequence.tokens.push(token);
    request.tokens = sequence.tokens;
    return sequence;
  }

  #dropOldest(): boolean {
    for (const [name, session] of this.#sessions) {
      this.#drop(name, session);
      return true;
    }
    return false;
  }

  #drop(name: string, { sequence }: Session): void {
    this.#sessions.delete(name);
    this.#cache.close(sequence);
  }
}

/** How much of a request may be found: what is to be reported of the prompt has to pass the model. */
function mostFound({ opening, generation: { report } }: Request): number {
  return Math.min(opening.most, report?.firstPosition ?? opening.most);
}
