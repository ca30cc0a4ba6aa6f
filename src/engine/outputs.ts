import type { Scope } from '../tensor/scope.ts';
import { type DType, sizeOf, Tensor } from '../tensor/tensor.ts';
import { alignedLength } from './upload.ts';

/** Tensors in one buffer, so that the host waits for all of them at once. */
export class Outputs {
  readonly #scope: Scope;
  readonly #parts: { shape: readonly number[]; dtype: DType; begin: number }[] = [];
  #size = 0;
  #storage: Tensor | null = null;

  constructor(scope: Scope) {
    this.#scope = scope;
  }

  /** Plans a tensor; all are planned before the first is taken. */
  plan(shape: readonly number[], dtype: DType): number {
    this.#parts.push({ shape, dtype, begin: this.#size });
    this.#size += alignedLength(sizeOf(shape));
    return this.#parts.length - 1;
  }

  tensor(part: number): Tensor {
    this.#storage ??= this.#scope.empty([this.#size], 'i32');
    const { shape, dtype, begin } = this.#parts[part]!;
    return new Tensor(shape, dtype, this.#storage.storage, 4 * begin);
  }

  /** Reads all of them. */
  async read(): Promise<{ floats(part: number): Float32Array; ints(part: number): Int32Array }> {
    const { storage } = this.#storage!;
    const { buffer, byteOffset } = await this.#scope.device.read(storage, 0, 4 * this.#size);
    const place = (part: number): [ArrayBufferLike, number, number] => {
      const { shape, begin } = this.#parts[part]!;
      return [buffer, byteOffset + 4 * begin, sizeOf(shape)];
    };
    return {
      floats: (part) => new Float32Array(...place(part)),
      ints: (part) => new Int32Array(...place(part)),
    };
  }
}
