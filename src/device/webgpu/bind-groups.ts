/**
 * Bind groups that were made before. Making one costs the host more than all the rest of a dispatch,
 * and steps repeat themselves. Looking one up is in the way of every dispatch, so keys are numbers in an
 * array, and no string is made of them.
 */
import { parameterBytes } from './adapter.ts';
import type { PooledBuffer } from './buffer-pool.ts';
import { usage } from './buffer-pool.ts';
import type { Pipeline } from './pipelines.ts';

/** A bind group, and the numbers that it was made from. */
interface Kept {
  key: number[];
  group: GPUBindGroup;
}

/** Kept parameters, as they are bound. */
interface Block {
  buffer: GPUBuffer;
  offset: number;
  size: number;
}

export type KeptGroups = Map<number, Kept[]>;

/** Bind groups of one layout that are kept. */
const mostGroups = 8192;
/** Parameters in one buffer: its blocks begin where bindings may. */
const blocksPerBuffer = 256;
const blockStride = 256;

export class BindGroups {
  readonly #device: GPUDevice;
  readonly #key: number[] = [];
  readonly #buffers: PooledBuffer[] = [];
  readonly #blocks = new Map<string, Block>();
  #blockBuffer: GPUBuffer | null = null;

  constructor(device: GPUDevice) {
    this.#device = device;
  }

  /** Begins the list of what the next bind group binds. */
  begin(): void {
    this.#key.length = 0;
    this.#buffers.length = 0;
  }

  add(buffer: PooledBuffer, offset: number, size: number): void {
    this.#buffers.push(buffer);
    this.#key.push(buffer.id, offset, size);
  }

  /** The bind group of what was added. `parameters` are a part of it if the program keeps them. */
  get({ layout, parameters, keepsParameters }: Pipeline, words: Uint32Array): GPUBindGroup {
    const key = this.#key;
    if (keepsParameters) for (let i = 0; i < parameters.length; i++) key.push(words[i]!);
    let hash = 0;
    for (let i = 0; i < key.length; i++)
      hash = Math.imul(hash ^ key[i]!, 0x9e3779b1) ^ (hash >>> 15);
    const { groups } = layout;
    const alike = groups.get(hash);
    if (alike) for (const kept of alike) if (areEqual(kept.key, key)) return kept.group;
    const entries = this.#buffers.map(({ gpu }, binding) => ({
      binding,
      resource: { buffer: gpu, offset: key[3 * binding + 1]!, size: key[3 * binding + 2]! },
    }));
    if (keepsParameters) {
      entries.push({ binding: entries.length, resource: this.#block(words) });
    }
    const group = this.#device.createBindGroup({ layout: layout.group, entries });
    if (groups.size >= mostGroups) groups.clear();
    groups.set(hash, [...(groups.get(hash) ?? []), { key: [...key], group }]);
    return group;
  }

  /** Where the same words lie in memory; they are never written over. */
  #block(words: Uint32Array): Block {
    const key = words.join();
    const known = this.#blocks.get(key);
    if (known) return known;
    const place = this.#blocks.size % blocksPerBuffer;
    if (place === 0 || !this.#blockBuffer) {
      this.#blockBuffer = this.#device.createBuffer({
        size: blocksPerBuffer * blockStride,
        usage: usage.uniform | usage.copyTarget,
      });
    }
    const offset = place * blockStride;
    this.#device.queue.writeBuffer(this.#blockBuffer, offset, words as Uint32Array<ArrayBuffer>);
    const block = { buffer: this.#blockBuffer, offset, size: parameterBytes };
    this.#blocks.set(key, block);
    return block;
  }
}

function areEqual(a: readonly number[], b: readonly number[]): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
