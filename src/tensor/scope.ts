import type { Device } from './device.ts';
import type { Tape } from './tape.ts';
import { bytesPerElement, type DType, type Storage, sizeOf, Tensor } from './tensor.ts';

/**
 * The memory of one piece of work. Everything allocated through a scope is released when the scope
 * closes, so that nobody counts references: a training step is one scope, and so is each layer of a
 * forward pass whose activations are not needed afterwards.
 *
 * A scope may carry a gradient tape; ops called with it are then recorded.
 */
export class Scope {
  readonly device: Device;
  readonly tape: Tape | null;
  #storages = new Set<Storage>();

  constructor(device: Device, tape: Tape | null = null) {
    this.device = device;
    this.tape = tape;
  }

  /** A tensor with undefined contents. */
  empty(shape: readonly number[], dtype: DType = 'f32'): Tensor {
    const storage = this.device.allocate(Math.max(sizeOf(shape) * bytesPerElement[dtype], 4));
    this.#storages.add(storage);
    return new Tensor(shape, dtype, storage);
  }

  zeros(shape: readonly number[]): Tensor {
    const tensor = this.empty(shape);
    this.device.kernels.fill({ out: tensor, value: 0 });
    return tensor;
  }

  /** A tensor with the given elements. */
  from(shape: readonly number[], data: Float32Array | Int32Array): Tensor {
    const tensor = this.empty(shape, data instanceof Int32Array ? 'i32' : 'f32');
    if (data.length !== tensor.size) {
      throw new Error(`[${shape}] does not hold ${data.length} elements`);
    }
    this.device.write(tensor.storage, 0, data);
    return tensor;
  }

  /** Releases one tensor of this scope before the scope closes. */
  release(tensor: Tensor): void {
    if (this.#storages.delete(tensor.storage)) this.device.release(tensor.storage);
  }

  /**
   * Runs `work` in a scope of its own and keeps only what it returns: a tensor, or the tensors among
   * an object's properties. Under a tape nothing is released, because the backward pass will read it;
   * unless the tape recomputes and `flow` says what gradient flows through. Then the backward pass runs
   * `work` once more, which must give the same.
   */
  nested<Result extends object>(
    work: (scope: Scope) => Result,
    flow?: { inputs: readonly Tensor[]; output: (result: Result) => Tensor },
  ): Result {
    const { tape } = this;
    if (tape && !(tape.recomputes && flow)) return work(this);
    const inner = new Scope(this.device);
    try {
      const result = work(inner);
      for (const value of result instanceof Tensor ? [result] : Object.values(result)) {
        if (value instanceof Tensor) this.#adopt(value, inner);
      }
      if (tape && flow) {
        tape.recordWork(flow.output(result), (gradient) => {
          this.#runAgain(tape, flow.inputs, gradient, (again) => flow.output(work(again)));
        });
      }
      return result;
    } finally {
      inner.close();
    }
  }

  /** Passes the gradient of `work` on to its inputs and to parameters, and keeps nothing else. */
  #runAgain(
    tape: Tape,
    inputs: readonly Tensor[],
    gradient: Tensor,
    work: (scope: Scope) => Tensor,
  ): void {
    const fork = tape.fork(inputs);
    const inner = new Scope(this.device, fork);
    try {
      const output = work(inner);
      for (const found of fork.backward(inner, [{ output, gradient }], tape.gradientScale)) {
        this.#adopt(found.gradient, inner);
        tape.contribute(this, found.input, found.gradient, found.owned);
      }
    } finally {
      inner.close();
    }
  }

  /** Takes a tensor over from another scope, if it is that scope's. */
  #adopt(tensor: Tensor, from: Scope): void {
    if (from.#storages.delete(tensor.storage)) this.#storages.add(tensor.storage);
  }

  /**
   * Last in, first out: from a device whose memory is a stack of what was given back, the same work then
   * gets the same memory the next time, and what it has made for that memory is of use again.
   */
  close(): void {
    for (const storage of [...this.#storages].reverse()) this.device.release(storage);
    this.#storages.clear();
  }
}

/** Runs `work` in a scope of its own and keeps nothing. */
export function within(device: Device, work: (scope: Scope) => void): void {
  const scope = new Scope(device);
  try {
    work(scope);
  } finally {
    scope.close();
  }
}

/** Reads a tensor of f32 back to the host. */
export async function readFloats(device: Device, tensor: Tensor): Promise<Float32Array> {
  const bytes = await device.read(tensor.storage, tensor.byteOffset, tensor.byteLength);
  return new Float32Array(bytes.buffer, bytes.byteOffset, tensor.size);
}

/** Reads a tensor of i32 back to the host. */
export async function readInts(device: Device, tensor: Tensor): Promise<Int32Array> {
  const bytes = await device.read(tensor.storage, tensor.byteOffset, tensor.byteLength);
  return new Int32Array(bytes.buffer, bytes.byteOffset, tensor.size);
}
