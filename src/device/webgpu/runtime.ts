import { UserError } from '../../errors.ts';
import { type DType, type Storage, sizeOf, Tensor } from '../../tensor/tensor.ts';
import { parameterBytes } from './adapter.ts';
import { BindGroups } from './bind-groups.ts';
import { BufferPool, type PooledBuffer } from './buffer-pool.ts';
import { Commands } from './commands.ts';
import { copyWords } from './copy-words.ts';
import { type Failures, inMebibytes } from './failures.ts';
import type { MatrixUnits } from './matrix-units.ts';
import { type Pipeline, Pipelines } from './pipelines.ts';
import type { Profiler } from './profiler.ts';
import type { Program } from './program.ts';
import { Readback } from './readback.ts';

/** A storage is one buffer of the pool; null once it has been released. */
interface GpuStorage extends Storage {
  buffer: PooledBuffer | null;
}

/** What a device can do at most. Kept, because each question to WebGPU costs as much as a dispatch. */
interface Limits {
  /** Of the offset of a binding, in bytes. */
  offsetAlignment: number;
  /** Workgroups of a grid, in each dimension. */
  groupsPerDimension: number;
  threadsPerGroup: number;
  /** Memory of a workgroup. */
  groupBytes: number;
  /** Tensors of a kernel. */
  storageBuffers: number;
}

/** Memory and dispatch: everything between the kernels and WebGPU. */
export class Runtime {
  readonly limits: Limits;
  /** The most bytes that a tensor of a kernel may have. */
  readonly bindingBytes: number;
  /** What products whose operands may be rounded run on; null if none may be, or there are no units. */
  readonly matrixUnits: MatrixUnits | null;
  /** Threads of a subgroup; 1 where there are none. */
  readonly subgroupSize: number;
  readonly #device: GPUDevice;
  readonly #failures: Failures;
  readonly #pool: BufferPool;
  readonly #pipelines: Pipelines;
  readonly #commands: Commands;
  readonly #bindGroups: BindGroups;
  readonly #readback: Readback;
  readonly #words = new Uint32Array(parameterBytes / 4);
  readonly #floats = new Float32Array(this.#words.buffer);
  readonly #constants = new Map<string, Tensor>();
  readonly #scratch: Storage[] = [];
  allocatedBytes = 0;

  constructor(
    device: GPUDevice,
    failures: Failures,
    options: {
      immediates: boolean;
      profiler: Profiler | null;
      matrixUnits: MatrixUnits | null;
      subgroupSize: number;
      bindingBytes?: number;
    },
  ) {
    this.#device = device;
    const { limits } = device;
    this.limits = {
      offsetAlignment: limits.minStorageBufferOffsetAlignment,
      groupsPerDimension: limits.maxComputeWorkgroupsPerDimension,
      threadsPerGroup: limits.maxComputeInvocationsPerWorkgroup,
      groupBytes: limits.maxComputeWorkgroupStorageSize,
      storageBuffers: limits.maxStorageBuffersPerShaderStage,
    };
    // Less what is bound before a tensor that does not begin where a binding can.
    this.bindingBytes =
      options.bindingBytes ?? limits.maxStorageBufferBindingSize - this.limits.offsetAlignment;
    this.matrixUnits = options.matrixUnits;
    this.subgroupSize = options.subgroupSize;
    this.#failures = failures;
    this.#pool = new BufferPool(device, failures);
    this.#pipelines = new Pipelines(device, options.immediates);
    this.#bindGroups = new BindGroups(device);
    this.#readback = new Readback(device, this.bindingBytes);
    this.#commands = new Commands(
      device,
      this.#pipelines.parameterLayout,
      options.profiler,
      () => this.#readback.isAwaited,
    );
  }

  allocate(byteLength: number): Storage {
    this.#failures.throwIfKnown();
    const buffer = this.#pool.take(byteLength, () => this.flush());
    this.allocatedBytes += byteLength;
    return { byteLength, buffer } as GpuStorage;
  }

  release(storage: Storage): void {
    this.#pool.give(bufferOf(storage));
    (storage as GpuStorage).buffer = null;
    this.allocatedBytes -= storage.byteLength;
  }

  /** Memory until the end of the kernel call. */
  scratch(shape: readonly number[], dtype: DType = 'f32'): Tensor {
    const storage = this.allocate(Math.max(4, 4 * sizeOf(shape)));
    this.#scratch.push(storage);
    return new Tensor(shape, dtype, storage);
  }

  releaseScratch(): void {
    // Last in, first out, as scopes do.
    for (let storage = this.#scratch.pop(); storage; storage = this.#scratch.pop()) {
      this.release(storage);
    }
  }

  /**
   * Adds a dispatch of `groups` workgroups; none if any of the three is 0.
   *
   * WebGPU binds only ranges that begin at multiples of 256 bytes, and within one dispatch a buffer is
   * either read or written. Tensors for which that does not hold go through scratch memory.
   */
  run<Binding extends string, Parameter extends string>(
    program: Program<Binding, Parameter>,
    tensors: Record<Binding, Tensor | null>,
    parameters: Record<Parameter, number>,
    groups: readonly [number, number, number],
  ): void {
    if (groups[0] === 0 || groups[1] === 0 || groups[2] === 0) return;
    this.#failures.throwIfKnown();
    const pipeline = this.#pipelines.get(program);
    const { bindings } = pipeline;
    const given: Tensor[] = [];
    for (let index = 0; index < bindings.length; index++) {
      given.push(tensors[bindings[index]!.name as Binding]!);
    }
    let places = given;
    let writeBack: { from: Tensor; to: Tensor }[] | null = null;
    for (let index = 0; index < given.length; index++) {
      if (this.#canBind(pipeline, index, given)) continue;
      const tensor = given[index]!;
      const copy = this.scratch(tensor.shape, tensor.dtype);
      this.copyWords(tensor, copy);
      if (bindings[index]!.written) {
        writeBack ??= [];
        writeBack.push({ from: copy, to: tensor });
      }
      if (places === given) places = [...given];
      places[index] = copy;
    }
    this.#pack(pipeline, parameters);
    const groupOfBindings = this.#bind(pipeline, places);
    this.#commands.dispatch(program.name, pipeline, groupOfBindings, this.#words, groups);
    if (writeBack) for (const { from, to } of writeBack) this.copyWords(from, to);
  }

  fitsBinding(tensor: Tensor): boolean {
    const { bindingBytes } = this;
    return tensor.storage.byteLength <= bindingBytes || tensor.byteLength <= bindingBytes;
  }

  /** Copies between tensors of as many bytes that lie anywhere, but not in one buffer. */
  copyWords(source: Tensor, out: Tensor): void {
    const [from, to] = [this.alignedDown(source), this.alignedDown(out)];
    const size = out.byteLength / 4;
    this.run(
      copyWords,
      { source: from.tensor, out: to.tensor },
      { size, sourceBegin: from.begin, outBegin: to.begin },
      this.grid(size, copyWords.threads),
    );
  }

  /** A grid with about one thread an item; programs loop over what is beyond a grid's limits. */
  grid(items: number, threads: number): [number, number, number] {
    const most = this.limits.groupsPerDimension;
    return [Math.min(Math.ceil(items / threads), most), 1, 1];
  }

  /** The words of a tensor with those before it, back to where a binding can begin. */
  alignedDown(tensor: Tensor): { tensor: Tensor; begin: number } {
    const skipped = tensor.byteOffset % this.limits.offsetAlignment;
    const shape = [(tensor.byteLength + skipped) / 4];
    const offset = tensor.byteOffset - skipped;
    return { tensor: new Tensor(shape, 'i32', tensor.storage, offset), begin: skipped / 4 };
  }

  /** A small tensor that never changes, made when first asked for. */
  constant(key: string, make: () => Float32Array): Tensor {
    let tensor = this.#constants.get(key);
    if (!tensor) {
      const data = make();
      const buffer = this.#pool.take(data.byteLength, () => this.flush());
      const storage = { byteLength: data.byteLength, buffer } as GpuStorage;
      this.write(storage, 0, data);
      tensor = new Tensor([data.length], 'f32', storage);
      this.#constants.set(key, tensor);
    }
    return tensor;
  }

  write(storage: Storage, byteOffset: number, data: ArrayBufferView): void {
    this.#failures.throwIfKnown();
    checkRange(storage, byteOffset, data.byteLength);
    const buffer = bufferOf(storage);
    // A write takes effect before commands that have not been submitted.
    if (buffer.batch === this.#commands.batch) this.flush();
    const { buffer: source, byteOffset: begin, byteLength } = data;
    this.#device.queue.writeBuffer(
      buffer.gpu,
      byteOffset,
      source as ArrayBuffer,
      begin,
      byteLength,
    );
  }

  async read(storage: Storage, byteOffset: number, byteLength: number): Promise<Uint8Array> {
    this.#failures.throwIfKnown();
    checkRange(storage, byteOffset, byteLength);
    const buffer = bufferOf(storage);
    const bytes = await this.#readback
      .read(this.#commands, buffer, byteOffset, byteLength)
      .catch((cause) => this.#failures.explain(cause));
    await this.#failures.throwIfAny();
    return bytes;
  }

  /** Submits what waits. */
  flush(): void {
    this.#commands.flush();
  }

  destroy(): void {
    this.#failures.expectLoss();
    this.#device.destroy();
  }

  #canBind({ written }: Pipeline, index: number, tensors: readonly Tensor[]): boolean {
    const { storage, byteOffset } = tensors[index]!;
    if (byteOffset % this.limits.offsetAlignment !== 0) return false;
    // A tensor that is read gives way to any that is written, and of two written the later one.
    const before = written.indexOf(index);
    const end = before < 0 ? written.length : before;
    for (let i = 0; i < end; i++) if (tensors[written[i]!]!.storage === storage) return false;
    return true;
  }

  /** The bind group of tensors that can be bound, which the batch that is being filled now uses. */
  #bind(pipeline: Pipeline, tensors: readonly Tensor[]): GPUBindGroup {
    this.#bindGroups.begin();
    for (const tensor of tensors) {
      const { byteLength } = tensor;
      const most = this.bindingBytes + this.limits.offsetAlignment;
      if (byteLength > most) {
        throw new UserError(
          `a tensor [${tensor.shape}] takes ${inMebibytes(byteLength)}, and a kernel of this GPU at most ` +
            `${inMebibytes(most)}: use fewer tokens at once or a smaller model`,
        );
      }
      const buffer = bufferOf(tensor.storage);
      buffer.batch = this.#commands.batch;
      this.#bindGroups.add(buffer, tensor.byteOffset);
    }
    return this.#bindGroups.get(pipeline, this.#words);
  }

  #pack(pipeline: Pipeline, parameters: Record<string, number>): void {
    for (let index = 0; index < pipeline.parameters.length; index++) {
      const { name, type } = pipeline.parameters[index]!;
      if (type === 'f32') this.#floats[index] = parameters[name]!;
      else this.#words[index] = parameters[name]!;
    }
  }
}

function bufferOf(storage: Storage): PooledBuffer {
  const { buffer } = storage as GpuStorage;
  if (!buffer) throw new Error('the storage has been released');
  return buffer;
}

function checkRange(storage: Storage, byteOffset: number, byteLength: number): void {
  if (byteOffset < 0 || byteOffset + byteLength > storage.byteLength) {
    throw new Error(
      `bytes ${byteOffset} to ${byteOffset + byteLength} are outside a storage of ${storage.byteLength}`,
    );
  }
}
