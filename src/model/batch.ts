import type { PastKeys } from '../tensor/kernels.ts';
import type { Scope } from '../tensor/scope.ts';
import type { Tensor } from '../tensor/tensor.ts';

/**
 * Rows for one call of the model: the tokens of one or several sequences or documents, one after
 * another. A row sees only rows of its own sequence, from `rowStart` to itself, and its past.
 */
export interface Batch {
  /** i32 [T] */
  tokens: Tensor;
  /** i32 [T]: position of each row in its sequence, for the rotary embedding. */
  positions: Tensor;
  /** i32 [T]: first row of the row's sequence in this call. */
  rowStart: Tensor;
}

/** The caches of a call; slots are the trunk's layers, then the MTP blocks. */
export type KeyValueCache = (slot: number) => LayerCache;

/** What a layer asks of its cache. */
export interface LayerCache {
  /** Null if no sequence of the call has any. */
  past: PastKeys | null;
  /**
   * Rounds keys and values of this call's rows, in their place, to what the cache will give back: what a
   * row sees does not depend on which rows were in a call with it.
   */
  round(key: Tensor, value: Tensor): void;
  /** Receives these when the layer is done; they live as long as the caller's scope. */
  keep(key: Tensor, value: Tensor): void;
}

/** Packs whole documents, each from position 0. */
export function packDocuments(scope: Scope, documents: readonly ArrayLike<number>[]): Batch {
  const count = documents.reduce((sum, { length }) => sum + length, 0);
  const tokens = new Int32Array(count);
  const positions = new Int32Array(count);
  const rowStart = new Int32Array(count);
  let begin = 0;
  for (const document of documents) {
    tokens.set(document, begin);
    for (let i = 0; i < document.length; i++) {
      positions[begin + i] = i;
      rowStart[begin + i] = begin;
    }
    begin += document.length;
  }
  return {
    tokens: scope.from([count], tokens),
    positions: scope.from([count], positions),
    rowStart: scope.from([count], rowStart),
  };
}
