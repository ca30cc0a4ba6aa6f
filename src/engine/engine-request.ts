import type { CachedSequence } from './cached-sequence.ts';
import type { Channel } from './channel.ts';
import type { Generation, GenerationStep } from './generation.ts';
import type { OpenOptions } from './prefix-cache.ts';

/** What an engine is asked for. */
export interface Request {
  generation: Generation;
  steps: Channel<GenerationStep>;
  opening: Omit<OpenOptions, 'spare'>;
  /** The prompt and what has been generated. */
  tokens: number[];
  isCancelled: boolean;
}

/** A request with memory of its own, in the batch. */
export interface Running extends Request {
  sequence: CachedSequence;
}
