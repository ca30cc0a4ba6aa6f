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
  key: Float64Array;
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
/** Numbers of a key: two a binding, and parameters. */
const mostNumbers = 128;

export class BindGroups {
  readonly #device: GPUDevice;
  /** Of a binding. */
  readonly #mostBytes: number;
  /** In place of lists that are emptied, which lose their memory. */
  readonly #key = new Float64Array(mostNumbers);
  #length = 0;
  readonly #buffers: PooledBuffer[] = [];
  readonly #blocks = new Map<string, Block>();
  #blockBuffer: GPUBuffer | null = null;

  constructor(device: GPUDevice) {
    this.#device = device;
    // Whole vectors of four numbers, whatever the limit is.
    this.#mostBytes = 16 * Math.floor(device.limits.maxStorageBufferBindingSize / 16);
  }

  /** Begins the list of what the next bind group binds. */
  begin(): void {
    this.#length = 0;
  }

  /**
   * Binds a buffer from `offset` on, whatever the size of the tensor there: no kernel asks how long an array
   * is, and rows differ in number from step to step.
   */
  add(buffer: PooledBuffer, offset: number): void {
    const at = this.#length;
    this.#buffers[at / 2] = buffer;
    this.#key[at] = buffer.id;
    this.#key[at + 1] = offset;
    this.#length = at + 2;
  }

  /** The bind group of what was added. `parameters` are a part of it if the program keeps them. */
  get({ layout, parameters, keepsParameters }: Pipeline, words: Uint32Array): GPUBindGroup {
    const key = this.#key;
    const bindings = this.#length / 2;
    let length = this.#length;
    if (keepsParameters) for (let i = 0; i < parameters.length; i++) key[length++] = words[i]!;
    let hash = 0;
    for (let i = 0; i < length; i++) {
      hash = Math.imul(hash ^ key[i]!, 0x9e3779b1) ^ (hash >>> 15);
    }
    const { groups } = layout;
    const alike = groups.get(hash);
    if (alike) {
      for (let i = 0; i < alike.length; i++) {
        if (isBeginOf(alike[i]!.key, key, length)) return alike[i]!.group;
      }
    }
    const entries = this.#buffers.slice(0, bindings).map(({ gpu, byteLength }, binding) => {
      const offset = key[2 * binding + 1]!;
      const size = Math.min(byteLength - offset, this.#mostBytes);
      return { binding, resource: { buffer: gpu, offset, size } };
    });
    if (keepsParameters) {
      entries.push({ binding: entries.length, resource: this.#block(words) });
    }
    const group = this.#device.createBindGroup({ layout: layout.group, entries });
    if (groups.size >= mostGroups) groups.clear();
    groups.set(hash, [...(groups.get(hash) ?? []), { key: key.slice(0, length), group }]);
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

function isBeginOf(begin: Float64Array, whole: Float64Array, length: number): boolean {
  if (begin.length !== length) return false;
  for (let i = 0; i < length; i++) if (begin[i] !== whole[i]) return false;
  return true;
}
