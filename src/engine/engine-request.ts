import type { CachedSequence } from './cached-sequence.ts';
import { Channel } from './channel.ts';
import type { Generation, GenerationOptions, VersionedStep } from './generation.ts';
import type { OpenOptions } from './prefix-cache.ts';

/** What an engine is asked for. */
export interface Request {
  generation: Generation;
  steps: Channel<VersionedStep>;
  opening: Required<Pick<OpenOptions, 'salt' | 'most'>>;
  /** The conversation of which it is a turn. */
  session: string | null;
  /** Of the positions from which its tokens were drawn, if routes are asked for. */
  routes: Int32Array[];
  /** The prompt and what has been generated. */
  tokens: number[];
  /** How many of them pass the model as a prompt; the others do so as steps. */
  promptTokens: number;
  isCancelled: boolean;
}

/** A request with memory of its own, in the batch. */
export interface Running extends Request {
  sequence: CachedSequence;
}

export function newRequest(
  prompt: readonly number[],
  generation: Generation,
  { cacheSalt: salt = '', session, mostCachedTokens: most = prompt.length }: GenerationOptions,
): Request {
  return {
    generation,
    steps: new Channel(),
    opening: { salt, most },
    session: session ?? null,
    routes: [],
    tokens: [...prompt],
    promptTokens: prompt.length,
    isCancelled: false,
  };
}
