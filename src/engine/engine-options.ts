import type { Model } from '../model/weights.ts';
import type { CacheType } from '../tensor/cache-type.ts';
import { pageSize } from './key-value-pool.ts';

export interface EngineOptions {
  /** Most requests worked on at once; more wait. */
  sequences?: number;
  /** Positions that the global layers' caches may hold, of all requests together; by default no limit. */
  cacheTokens?: number;
  /** What the caches hold; by default as `cacheTypeOf` says. */
  cacheType?: CacheType;
  /**
   * Prompt tokens that pass the model between two steps of decoding, or one chunk (see `chunkEnd`) if
   * that is more. A larger number delays the requests that are being answered.
   */
  prefillTokens?: number;
  /**
   * Positions of ended requests that stay in the caches for later ones that begin alike, within
   * `cacheTokens`; 0 for none. By default eight contexts.
   */
  prefixTokens?: number;
  /**
   * Copies of the sliding layers' windows kept for these, each as large as what a request holds of them.
   * By default one for each request worked on, and 32.
   */
  snapshots?: number;
  /** Most conversations kept between two turns, by default as many as requests are worked on. */
  sessions?: number;
  /** Ids from here on are padding of the head and never sampled. */
  vocabSize?: number;
}

/** The caches of an engine. */
export interface EngineMemory {
  /** Pages that no request holds. */
  freePages: number;
  /** Of these, those that are kept for later requests. */
  keptPages: number;
  /** What they hold. */
  cacheType: CacheType;
  /** Bytes of device memory, by layer kind. */
  global: number;
  sliding: number;
}

/** The options with their defaults for a model, in whole pages. */
export function limitsOf({ config, mtp }: Model, options: EngineOptions) {
  const { sequences = 32, prefillTokens = 512 } = options;
  const longest = config.maxPositions + mtp.length;
  const { cacheTokens = sequences * longest, prefixTokens = 8 * longest } = options;
  const { snapshots = sequences + 32, sessions = sequences } = options;
  const idlePages = Math.ceil(prefixTokens / pageSize);
  return {
    sequences,
    prefillTokens,
    cacheTokens: Math.ceil(cacheTokens / pageSize) * pageSize,
    idlePages,
    snapshots: idlePages > 0 ? snapshots : 0,
    sessions,
  };
}
