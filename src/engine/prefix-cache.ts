import { CachedSequence } from './cached-sequence.ts';
import { type KeyValuePool, pageSize } from './key-value-pool.ts';
import { type PrefixNode, PrefixTree, pathOf } from './prefix-tree.ts';
import type { Snapshot } from './row-ranges.ts';

/**
 * Distance of the snapshots that a long prompt leaves on its way, in positions: most of what is computed
 * again when another prompt parts from it somewhere.
 */
const snapshotDistance = 2048;

export interface PrefixLimits {
  /** Most pages kept that no sequence holds; 0 turns the cache off. */
  idlePages: number;
  /** Most snapshots of rings. */
  snapshots: number;
}

export interface OpenOptions {
  /** Sequences share only with those of the same salt. */
  salt: string;
  /** Most tokens to be found; the rest is to be computed although it may be there. */
  most?: number;
  /** Pages that must be left for others. */
  spare: number;
  /** Whether it shares nothing, neither now nor later. */
  isPrivate?: boolean;
}

/**
 * Sequences that share the pages of their common beginning. Every page of a global layer that is full
 * and certain goes into a tree and stays there when its sequence ends, until memory is short.
 *
 * A ring has forgotten what it held at an earlier position, so a sequence can begin only where a
 * snapshot of the ring was kept. Snapshots are kept at page ends: at the last one of a prompt, at the
 * last one that an answer has passed, where a prompt parted from an earlier one, and every so often
 * along long prompts. A snapshot has the trunk's sliding layers and, for the MTP blocks, its states: their
 * own keys are computed again from these, as after any prompt.
 */
export class PrefixCache {
  readonly #pool: KeyValuePool;
  readonly #limits: PrefixLimits;
  readonly #blocks: number;
  readonly #tree = new PrefixTree();

  /** `blocks`: MTP blocks of the model. */
  constructor(pool: KeyValuePool, blocks: number, limits: PrefixLimits) {
    this.#pool = pool;
    this.#blocks = blocks;
    this.#limits = limits;
  }

  /** Pages that can be had: free ones, and those that no sequence holds. */
  get availablePages(): number {
    return this.#pool.availablePages + this.#tree.idle;
  }

  /** Pages kept for later sequences only. */
  get idlePages(): number {
    return this.#tree.idle;
  }

  /** A sequence of `tokens` that begins after what is found of them; null if there is no room for it. */
  open(tokens: number[], options: OpenOptions): CachedSequence | null {
    const { salt, spare, most = tokens.length } = options;
    const isPrivate = options.isPrivate === true || this.#limits.idlePages === 0;
    // The last token is left to the first step.
    const pages = isPrivate ? 0 : Math.floor(Math.min(most, tokens.length - 1) / pageSize);
    const found = this.#tree.find(salt, keysOf(tokens, 0, pages));
    let start = found;
    while (start.parent && start.snapshot === null) start = start.parent;
    this.#tree.hold(start);
    const missing = Math.ceil(tokens.length / pageSize) - start.depth;
    const held = this.availablePages < missing + spare ? null : this.#openRing();
    if (!held) {
      this.#tree.release(start);
      return null;
    }
    this.#tree.touch(start);
    if (start.snapshot !== null) this.#pool.copyRing(start.snapshot, held.ring);
    held.pages.push(...Array.from(pathOf(start), ({ page }) => page).reverse());
    const sequence = new CachedSequence(held, tokens, this.#blocks, start);
    sequence.length = start.depth * pageSize;
    sequence.isPrivate = isPrivate;
    if (!isPrivate) sequence.planned = snapshotPositions(sequence, found);
    return sequence;
  }

  /** Sees to memory for the first `positions` of a sequence; false if there is not enough. */
  reserve(sequence: CachedSequence, positions: number): boolean {
    const missing = Math.ceil(positions / pageSize) - sequence.pages.length;
    do {
      while (this.#pool.availablePages < missing && this.#evict());
      if (this.#pool.reserve(sequence, positions)) return true;
    } while (this.#evict());
    return false;
  }

  /** Snapshots that a prefill up to `end` is to take; `afterPrefill` is then to be called. */
  snapshots(sequence: CachedSequence, end: number): readonly Snapshot[] {
    for (const position of sequence.planned) {
      if (position <= sequence.length || position > end) continue;
      const ring = this.#snapshotRing();
      if (ring !== null) sequence.taking.push({ position, ring });
    }
    return sequence.taking;
  }

  /** Keeps what a prefill has passed, with the snapshots that it took. */
  afterPrefill(sequence: CachedSequence): void {
    this.#addPages(sequence);
    for (const { position, ring } of sequence.taking.splice(0)) {
      const node = [...pathOf(sequence.node)].find(({ depth }) => depth * pageSize === position)!;
      if (node.snapshot === null) this.#tree.setSnapshot(node, ring);
      else this.#pool.giveRing(ring);
    }
  }

  /**
   * Keeps what a step has passed. An answer leaves one snapshot, which goes along with it: the ring
   * still has all of the last page's end, for a step is no longer than what a ring has beside a window.
   */
  afterStep(sequence: CachedSequence): void {
    if (!this.#addPages(sequence)) return;
    const { node, moving } = sequence;
    sequence.moving = null;
    if (node.snapshot !== null) return;
    const isOurs = moving !== null && moving.node.snapshot === moving.ring;
    const ring = isOurs ? this.#tree.takeSnapshot(moving.node) : this.#snapshotRing();
    if (ring === null) return;
    this.#pool.copyRing(sequence.ring, ring);
    this.#tree.setSnapshot(node, ring);
    sequence.moving = { node, ring };
  }

  close(sequence: CachedSequence): void {
    for (const { ring } of sequence.taking.splice(0)) this.#pool.giveRing(ring);
    // The pages of the node and its ancestors are the tree's.
    sequence.pages.splice(0, sequence.node.depth);
    this.#pool.close(sequence);
    this.#tree.release(sequence.node);
    while (this.#tree.idle > this.#limits.idlePages) this.#evict();
  }

  /** Forgets all pages that no sequence holds. */
  clear(): void {
    while (this.#evict());
  }

  #openRing() {
    for (;;) {
      const held = this.#pool.open();
      if (held) return held;
      const ring = this.#tree.takeSnapshot();
      if (ring === null) return null;
      this.#pool.giveRing(ring);
    }
  }

  /**
   * Adds the pages that have become full; false if there are none. A sequence whose page someone else
   * has added as well goes on with that one.
   */
  #addPages(sequence: CachedSequence): boolean {
    if (sequence.isPrivate) return false;
    const { pages, tokens, length } = sequence;
    const { depth } = sequence.node;
    let index = depth;
    for (const key of keysOf(tokens, depth, Math.floor(length / pageSize))) {
      const page = pages[index]!;
      const present = sequence.node.children.get(key);
      const child = present ?? this.#tree.add(sequence.node, key, page);
      this.#tree.holdChild(child);
      if (child.page !== page) {
        this.#pool.givePage(page);
        pages[index] = child.page;
      }
      sequence.node = child;
      index++;
    }
    if (index === depth) return false;
    this.#tree.touch(sequence.node);
    return true;
  }

  #snapshotRing(): number | null {
    if (this.#tree.snapshots >= this.#limits.snapshots) return this.#tree.takeSnapshot();
    return this.#pool.takeRing() ?? this.#tree.takeSnapshot();
  }

  #evict(): boolean {
    const node = this.#tree.evict();
    if (!node) return false;
    this.#pool.givePage(node.page);
    if (node.snapshot !== null) this.#pool.giveRing(node.snapshot);
    return true;
  }
}

/** Where the prompt of a sequence is to leave snapshots, of which `found` was there before. */
function snapshotPositions({ tokens, length }: CachedSequence, found: PrefixNode): number[] {
  const last = Math.floor((tokens.length - 1) / pageSize) * pageSize;
  const positions = new Set([found.depth * pageSize, last]);
  for (let at = snapshotDistance; at < last; at += snapshotDistance) positions.add(at);
  return [...positions].filter((position) => position > length).sort((a, b) => a - b);
}

/** A text for each whole page of tokens: the same only for the same tokens. */
function* keysOf(tokens: readonly number[], begin: number, end: number): Generator<string> {
  for (let page = begin; page < end; page++) {
    const ids = Int32Array.from(tokens.slice(page * pageSize, (page + 1) * pageSize));
    yield String.fromCharCode(...new Uint16Array(ids.buffer));
  }
}
