import { type AttentionConfig, attentionOf } from '../model/config.ts';
import type { StepCache } from '../model/step.ts';
import type { Model } from '../model/weights.ts';
import { type CacheType, cachedHeadSize, cachedRowMultiple } from '../tensor/cache-type.ts';
import type { CachedRows } from '../tensor/inference-kernels.ts';
import type { PastKeys } from '../tensor/kernels.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { PagePool, type RowFormat } from './page-pool.ts';

/** Positions of a page of a global layer. */
export const pageSize = 64;

/** The memory that a sequence holds in a pool. */
export interface HeldPages {
  /** Page i holds positions i·pageSize to (i+1)·pageSize of every global layer. */
  readonly pages: number[];
  /** The page of the sliding layers: a ring. */
  readonly ring: number;
}

/** Layouts as in `CachedRows`, of one set of rows. */
export interface Layouts {
  sliding: Tensor;
  /** Only where there are global layers. */
  global?: Tensor;
  /** Pages of a sequence in the table of `global`. */
  width?: number;
}

/** Where a call over packed rows finds the past and puts its own rows. */
export interface PackedPlaces {
  lengths: Tensor;
  sequence: Tensor;
  /** i32 [sequences, width] */
  pageTable: Tensor;
  /** i32 [sequences, 1] */
  rings: Tensor;
  /** Cache row of each row of the call, or −1. */
  globalRows: Tensor;
  ringRows: Tensor;
  /** The same for further rings that get copies of some rows. */
  snapshotRows: readonly Tensor[];
}

/**
 * The key-value caches of all sequences. Slots are the trunk's layers, then the MTP blocks. Global
 * layers have pages, as many as a sequence needs. A sliding layer has one page a sequence, used as a
 * ring; beside its keys and values lie the trunk's states of the same positions, which MTP blocks read.
 *
 * A step writes its drafts before it knows which are right, so a ring holds a window and the drafts of
 * a step: a rejected draft has not overwritten anything that is still to be seen.
 */
export class KeyValuePool {
  /** Of keys and values; states are f32. */
  readonly cacheType: CacheType;
  readonly #model: Model;
  readonly #global: PagePool;
  readonly #sliding: PagePool;
  /** Which pool has a slot's keys, and as which of its tensors; values are the next. */
  readonly #slots: { pool: PagePool; index: number; keyValueHeads: number }[] = [];

  /** `tokens` and `rings`: the most that it may hold. `cacheType`: see `cacheTypeOf`. */
  constructor(
    model: Model,
    { tokens, rings, cacheType }: { tokens: number; rings: number; cacheType: CacheType },
  ) {
    this.#model = model;
    this.cacheType = cacheType;
    const { config, device } = model;
    const attentions = [
      ...config.layers.map((_, layer) => attentionOf(config, layer)),
      ...model.mtp.map(() => config.slidingAttention),
    ];
    const isGlobal = ({ window }: AttentionConfig) => window === null;
    const rowsOf = (some: AttentionConfig[]): RowFormat[] =>
      some.flatMap(({ keyValueHeads, headDim, valueHeadDim }) =>
        [headDim, valueHeadDim].map((numbers) => ({
          columns: keyValueHeads * cachedHeadSize(cacheType, numbers),
          dtype: cacheType,
        })),
      );
    const global = attentions.filter(isGlobal);
    const sliding = attentions.filter((attention) => !isGlobal(attention));
    this.#global = new PagePool(device, {
      rows: rowsOf(global),
      pageSize,
      limit: Math.ceil(tokens / pageSize),
    });
    const states: RowFormat[] =
      model.mtp.length > 0 ? [{ columns: config.hiddenSize, dtype: 'f32' }] : [];
    const ringSize = (config.slidingAttention.window ?? 1) + model.mtp.length;
    this.#sliding = new PagePool(device, {
      rows: [...rowsOf(sliding), ...states],
      pageSize: Math.ceil(ringSize / cachedRowMultiple) * cachedRowMultiple,
      limit: rings,
    });
    const next = { global: 0, sliding: 0 };
    for (const attention of attentions) {
      const kind = isGlobal(attention) ? 'global' : 'sliding';
      const pool = kind === 'global' ? this.#global : this.#sliding;
      const { keyValueHeads } = attention;
      this.#slots.push({ pool, index: next[kind], keyValueHeads });
      next[kind] += 2;
    }
  }

  get ringSize(): number {
    return this.#sliding.pageSize;
  }

  /** The trunk's states [rows, hidden], in ring rows. Only with MTP blocks. */
  get states(): Tensor {
    return this.#sliding.tensors.at(-1)!;
  }

  /** Pages of global layers that can still be taken. */
  get availablePages(): number {
    return this.#global.available;
  }

  /** Bytes of device memory, by layer kind; those of sliding layers with the trunk's states. */
  get bytes(): { global: number; sliding: number } {
    return { global: this.#global.byteLength, sliding: this.#sliding.byteLength };
  }

  /** A sequence without positions, or null if there is no ring left. */
  open(): HeldPages | null {
    const ring = this.#sliding.take();
    return ring === null ? null : { pages: [], ring };
  }

  /** Takes pages for the first `positions` of a sequence; false, with none taken, if too few are left. */
  reserve({ pages }: HeldPages, positions: number): boolean {
    const before = pages.length;
    while (pages.length * pageSize < positions) {
      const page = this.#global.take();
      if (page === null) {
        for (const taken of pages.splice(before)) this.#global.give(taken);
        return false;
      }
      pages.push(page);
    }
    return true;
  }

  /** Gives a sequence's memory back. */
  close({ pages, ring }: HeldPages): void {
    for (const page of pages.splice(0)) this.#global.give(page);
    this.#sliding.give(ring);
  }

  /** Gives back a page that no sequence has any more. */
  givePage(page: number): void {
    this.#global.give(page);
  }

  /** A ring that is no sequence's, or null if there is none left. */
  takeRing(): number | null {
    return this.#sliding.take();
  }

  giveRing(ring: number): void {
    this.#sliding.give(ring);
  }

  /** Copies all that a ring holds. */
  copyRing(from: number, to: number): void {
    this.#sliding.copyPage(from, to);
  }

  release(): void {
    this.#global.release();
    this.#sliding.release();
  }

  /** The cache as `stepTrunk` and `stepMtpBlock` see it. */
  stepCache({ sliding, global, width = 1 }: Layouts): StepCache {
    return (slot): CachedRows => {
      const { keys, values, pool } = this.#slot(slot);
      if (pool === this.#sliding) {
        return { keys, values, pageSize: this.ringSize, width: 1, layout: sliding };
      }
      if (!global) throw new Error(`slot ${slot} is a global layer, for which there is no layout`);
      return { keys, values, pageSize, width, layout: global };
    };
  }

  /** A slot's cache as `attention` sees it. */
  past(slot: number, { pageTable, rings, lengths, sequence }: PackedPlaces): PastKeys {
    const { keys, values, pool } = this.#slot(slot);
    const table = pool === this.#global ? pageTable : rings;
    return { keys, values, pageSize: pool.pageSize, table, lengths, sequence };
  }

  /** Keys and values of rows, in their place, as the slot will give them back. */
  round(slot: number, key: Tensor, value: Tensor): void {
    const { cacheType: type } = this;
    if (type === 'f32') return;
    const { kernels } = this.#model.device;
    const { keyValueHeads: heads } = this.#slots[slot]!;
    kernels.roundToCache({ x: key, heads, type });
    kernels.roundToCache({ x: value, heads, type });
  }

  /** Writes rows to a slot. */
  write(slot: number, key: Tensor, value: Tensor, places: PackedPlaces): void {
    const { keys, values, pool } = this.#slot(slot);
    const { keyValueHeads } = this.#slots[slot]!;
    const { globalRows, ringRows, snapshotRows } = places;
    const { kernels } = this.#model.device;
    for (const indices of pool === this.#global ? [globalRows] : [ringRows, ...snapshotRows]) {
      kernels.writeCachedRows({ key, value, indices, keyValueHeads, keys, values });
    }
  }

  /** Writes the trunk's states of rows, if there are MTP blocks to read them. */
  writeStates(source: Tensor, places: readonly Tensor[]): void {
    if (this.#model.mtp.length === 0) return;
    const { kernels } = this.#model.device;
    for (const indices of places) kernels.writeRows({ source, indices, out: this.states });
  }

  #slot(slot: number): { pool: PagePool; keys: Tensor; values: Tensor } {
    const { pool, index } = this.#slots[slot]!;
    return { pool, keys: pool.tensors[index]!, values: pool.tensors[index + 1]! };
  }
}
