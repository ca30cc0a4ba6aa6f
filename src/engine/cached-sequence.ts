import { DecoderSequence } from './decoder-sequence.ts';
import type { HeldPages } from './key-value-pool.ts';
import type { PrefixNode } from './prefix-tree.ts';
import type { Snapshot } from './row-ranges.ts';

/** A sequence that shares pages: its first ones are those of `node` and its ancestors. */
export class CachedSequence extends DecoderSequence {
  node: PrefixNode;
  /** Whether it shares nothing. */
  isPrivate = false;
  /** Positions of its prompt at which snapshots are to be taken. */
  planned: readonly number[] = [];
  /** Snapshots that are being taken. */
  readonly taking: Snapshot[] = [];
  /** The snapshot that its answer has left last. */
  moving: { node: PrefixNode; ring: number } | null = null;

  constructor(held: HeldPages, tokens: number[], blocks: number, node: PrefixNode) {
    super(held, tokens, blocks);
    this.node = node;
  }
}
