import type { KeyValueCache } from '../model/batch.ts';
import { type AttentionConfig, attentionOf } from '../model/config.ts';
import type { Model } from '../model/weights.ts';
import type { PastKeys } from '../tensor/kernels.ts';
import type { Scope } from '../tensor/scope.ts';
import { Tensor } from '../tensor/tensor.ts';

/** Positions a growing cache begins with. */
const initialCapacity = 256;

/** Keys and values of one layer, for one sequence. */
interface Slot {
  attention: AttentionConfig;
  keys: Tensor;
  values: Tensor;
  /** Rows of `keys`: the window of a ring, or the present capacity of a growing cache. */
  capacity: number;
  /** Positions seen so far; a ring holds the last `capacity` of them. */
  length: number;
}

/**
 * The key-value cache of one sequence: a ring of window length for each sliding layer, a growing
 * array for each global one. Slots are the trunk's layers, then the MTP blocks.
 *
 * A call first computes keys and values for its rows and then commits as many of them as turn out to
 * be right. Rejected drafts are therefore never written, and a ring needs no room to roll back.
 */
export class SequenceCache {
  readonly #model: Model;
  readonly #slots: Slot[];
  readonly #table: Tensor;

  constructor(model: Model) {
    this.#model = model;
    const { config, device } = model;
    const attentions = [
      ...config.layers.map((_, layer) => attentionOf(config, layer)),
      ...model.mtp.map(() => config.slidingAttention),
    ];
    this.#slots = attentions.map((attention) => {
      const capacity = attention.window ?? initialCapacity;
      return { attention, capacity, length: 0, ...allocateRows(model, attention, capacity) };
    });
    this.#table = new Tensor([1, 1], 'i32', device.allocate(4));
    device.write(this.#table.storage, 0, Int32Array.of(0));
  }

  /** Positions committed to a slot. */
  length(slot: number): number {
    return this.#slots[slot]!.length;
  }

  /**
   * Makes a ring forget what lies before `position`, without having seen all of it. Right only if no
   * later query's window reaches back to what was skipped.
   */
  skipTo(slot: number, position: number): void {
    const entry = this.#slots[slot]!;
    entry.length = Math.max(entry.length, position);
  }

  /** Begins a call of `rows` rows over the slots `begin` to `end`, all of one length. */
  begin(scope: Scope, begin: number, end: number, rows: number): CacheCall {
    const slots = this.#slots;
    const { length } = slots[begin]!;
    const lengths = scope.from([1], Int32Array.of(length));
    const sequence = scope.from([rows], new Int32Array(rows));
    const kept = new Map<number, { key: Tensor; value: Tensor }>();
    const table = this.#table;
    return {
      past(slot): PastKeys {
        const { keys, values, capacity } = slots[slot]!;
        return { keys, values, pageSize: capacity, table, lengths, sequence };
      },
      keep(slot, key, value) {
        kept.set(slot, { key, value });
      },
      commit: (count) => {
        for (let slot = begin; slot < end; slot++) {
          const { key, value } = kept.get(slot)!;
          this.#write(scope, slots[slot]!, key.slice(0, count), value.slice(0, count));
        }
      },
    };
  }

  /** Bytes held, by layer kind. */
  bytes(): { global: number; sliding: number } {
    const total = { global: 0, sliding: 0 };
    for (const { attention, keys, values } of this.#slots) {
      total[attention.window === null ? 'global' : 'sliding'] +=
        keys.byteLength + values.byteLength;
    }
    return total;
  }

  /** Forgets everything, keeping the memory. */
  clear(): void {
    for (const slot of this.#slots) slot.length = 0;
  }

  release(): void {
    const { device } = this.#model;
    device.release(this.#table.storage);
    for (const { keys, values } of this.#slots) {
      device.release(keys.storage);
      device.release(values.storage);
    }
  }

  #write(scope: Scope, slot: Slot, key: Tensor, value: Tensor): void {
    const count = key.rows;
    const isRing = slot.attention.window !== null;
    if (!isRing && slot.length + count > slot.capacity) this.#grow(slot, slot.length + count);
    const { kernels } = this.#model.device;
    // Rows that later rows of the same call push out of the ring are not written at all.
    const places = Int32Array.from({ length: count }, (_, row) => {
      if (isRing && row < count - slot.capacity) return -1;
      return (slot.length + row) % slot.capacity;
    });
    const indices = scope.from([count], places);
    kernels.writeRows({ source: key, indices, out: slot.keys });
    kernels.writeRows({ source: value, indices, out: slot.values });
    slot.length += count;
  }

  #grow(slot: Slot, needed: number): void {
    const { device } = this.#model;
    let capacity = slot.capacity;
    while (capacity < needed) capacity *= 2;
    const larger = allocateRows(this.#model, slot.attention, capacity);
    for (const name of ['keys', 'values'] as const) {
      const source = slot[name];
      device.kernels.copy({ source, out: larger[name].slice(0, slot.capacity) });
      device.release(source.storage);
    }
    Object.assign(slot, larger, { capacity });
  }
}

/** A cache as one call sees it; `commit` writes the keys and values of its first `count` rows. */
export interface CacheCall extends KeyValueCache {
  commit(count: number): void;
}

function allocateRows(model: Model, attention: AttentionConfig, rows: number) {
  const { keyValueHeads, headDim, valueHeadDim } = attention;
  const allocate = (columns: number) => {
    const storage = model.device.allocate(rows * columns * 4);
    const tensor = new Tensor([rows, columns], 'f32', storage);
    model.device.kernels.fill({ out: tensor, value: 0 });
    return tensor;
  };
  return {
    keys: allocate(keyValueHeads * headDim),
    values: allocate(keyValueHeads * valueHeadDim),
  };
}
