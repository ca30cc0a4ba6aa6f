import type { HeldPages } from './key-value-pool.ts';

/** A sequence that a `Decoder` works on: its tokens, and how far the caches have come. */
export class DecoderSequence implements HeldPages {
  readonly pages: number[];
  readonly ring: number;
  /** Everything so far. */
  readonly tokens: number[];
  /** Positions that have passed the trunk; when decoding, all but the last token's. */
  length = 0;
  /** Positions of which each MTP block has all that it will ever need. */
  readonly blockLengths: number[];

  constructor({ pages, ring }: HeldPages, tokens: number[], blocks: number) {
    this.pages = pages;
    this.ring = ring;
    this.tokens = tokens;
    this.blockLengths = new Array(blocks).fill(0);
  }

  /** Adds tokens that a step gave: any number of the first ones. */
  append(tokens: readonly number[]): void {
    this.tokens.push(...tokens);
    this.length += tokens.length;
    // What blocks have of drafts that were right, but are not wanted, is not of this sequence.
    for (const [head, held] of this.blockLengths.entries()) {
      this.blockLengths[head] = Math.min(held, this.length - head);
    }
  }
}
