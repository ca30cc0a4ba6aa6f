import { OutOfMemoryError, type Tensor } from '../../tensor/tensor.ts';
import type { Heaps, WasmStorage } from './heaps.ts';
import type { LaunchArgument, Operand } from './runtime.ts';

interface Staged {
  operand: Operand;
  copy: WasmStorage;
  /** Whether any operand with these bytes is written. */
  written: boolean;
}

/**
 * Brings the operands of one launch together. Kernels see one memory; the launch runs in the heap of
 * its largest operand, and operands from other heaps are copied there before it and, if written, back
 * after it. Small models have one heap, and need none of this: see `addressesOf`.
 */
export class Staging {
  readonly #heaps: Heaps;
  #staged: Staged[] | null = null;

  constructor(heaps: Heaps) {
    this.#heaps = heaps;
  }

  /**
   * The heap to run in, and the arguments with addresses in it for tensors.
   * @throws OutOfMemoryError
   */
  enter(args: readonly LaunchArgument[]): { heap: number; values: number[] } {
    let heap = 0;
    let largest = -1;
    for (const argument of args) {
      if (typeof argument === 'number') continue;
      const { byteLength, storage } = argument.tensor;
      if (byteLength > largest) {
        largest = byteLength;
        heap = (storage as WasmStorage).heap;
      }
    }
    try {
      return { heap, values: this.#values(args, heap) };
    } catch (error) {
      this.leave();
      if (!(error instanceof OutOfMemoryError)) throw error;
      return this.#enterElsewhere(args);
    }
  }

  /** When there is no room beside the largest operand: wherever there is room for all of them. */
  #enterElsewhere(args: readonly LaunchArgument[]): { heap: number; values: number[] } {
    const { heaps } = this.#heaps;
    for (let heap = 0; ; heap++) {
      const isLast = heap === heaps.length;
      if (isLast) this.#heaps.open();
      try {
        return { heap, values: this.#values(args, heap) };
      } catch (error) {
        this.leave();
        if (isLast || !(error instanceof OutOfMemoryError)) throw error;
      }
    }
  }

  #values(args: readonly LaunchArgument[], heap: number): number[] {
    const values: number[] = [];
    for (const argument of args) {
      if (typeof argument === 'number') values.push(argument);
      else values.push(this.#address(argument, heap));
    }
    return values;
  }

  copyBack(): void {
    for (const { operand, copy, written } of this.#staged ?? []) {
      if (written) this.#heapBytes(operand.tensor).set(this.#copyBytes(copy));
    }
  }

  leave(): void {
    for (const { copy } of this.#staged ?? []) this.#heaps.release(copy);
    this.#staged = null;
  }

  #address(operand: Operand, heap: number): number {
    const { tensor, access } = operand;
    const storage = tensor.storage as WasmStorage;
    const address = addressOf(tensor);
    if (storage.heap === heap) return address;

    // The same bytes twice, as in out = out + b, must be one copy.
    this.#staged ??= [];
    const { byteLength } = tensor;
    let staged = this.#staged.find(
      (other) =>
        other.operand.tensor.storage === storage &&
        other.operand.tensor.byteOffset === tensor.byteOffset &&
        other.operand.tensor.byteLength === byteLength,
    );
    if (!staged) {
      staged = { operand, copy: this.#heaps.allocate(byteLength, heap), written: false };
      this.#staged.push(staged);
    }
    if (access === 'read' || access === 'update')
      this.#copyBytes(staged.copy).set(this.#heapBytes(tensor));
    if (access === 'write' || access === 'update') staged.written = true;
    return staged.copy.address;
  }

  #heapBytes(tensor: Tensor): Uint8Array {
    const { heap, address } = tensor.storage as WasmStorage;
    const begin = address + tensor.byteOffset;
    return this.#heaps.heaps[heap]!.bytes.subarray(begin, begin + tensor.byteLength);
  }

  #copyBytes({ heap, address, byteLength }: WasmStorage): Uint8Array {
    return this.#heaps.heaps[heap]!.bytes.subarray(address, address + byteLength);
  }
}

/** The arguments of a launch with addresses for tensors, where there is one heap. */
export function addressesOf(args: readonly LaunchArgument[]): number[] {
  const values: number[] = [];
  for (const argument of args) {
    values.push(typeof argument === 'number' ? argument : addressOf(argument.tensor));
  }
  return values;
}

/** In the heap where it lies. */
function addressOf({ storage, byteOffset }: Tensor): number {
  const { address, released } = storage as WasmStorage;
  if (released) throw new Error('a tensor is used after its storage was released');
  return address + byteOffset;
}
