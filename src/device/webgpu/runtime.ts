import { UserError } from '../../errors.ts';
import { type DType, type Storage, sizeOf, Tensor } from '../../tensor/tensor.ts';
import { parameterBytes } from './adapter.ts';
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

/** A tensor's place, as WebGPU binds it. */
interface Range {
  buffer: PooledBuffer;
  offset: number;
  size: number;
}

/** Bind groups that are kept; steps repeat themselves, so most are used again. */
const keptBindGroups = 8192;

/** Memory and dispatch: everything between the kernels and WebGPU. */
export class Runtime {
  readonly limits: GPUSupportedLimits;
  /** The most bytes that a tensor of a kernel may have. */
  readonly bindingBytes: number;
  /** What products whose operands may be rounded run on; null if none may be, or there are no units. */
  readonly matrixUnits: MatrixUnits | null;
  readonly #device: GPUDevice;
  readonly #failures: Failures;
  readonly #pool: BufferPool;
  readonly #pipelines: Pipelines;
  readonly #commands: Commands;
  readonly #readback: Readback;
  readonly #words = new Uint32Array(parameterBytes / 4);
  readonly #floats = new Float32Array(this.#words.buffer);
  readonly #constants = new Map<string, Tensor>();
  #scratch: Storage[] = [];
  allocatedBytes = 0;

  constructor(
    device: GPUDevice,
    failures: Failures,
    options: {
      immediates: boolean;
      profiler: Profiler | null;
      matrixUnits?: MatrixUnits | null;
      bindingBytes?: number;
    },
  ) {
    this.#device = device;
    this.limits = device.limits;
    // Less what is bound before a tensor that does not begin where a binding can.
    const { maxStorageBufferBindingSize, minStorageBufferOffsetAlignment } = device.limits;
    this.bindingBytes =
      options.bindingBytes ?? maxStorageBufferBindingSize - minStorageBufferOffsetAlignment;
    this.matrixUnits = options.matrixUnits ?? null;
    this.#failures = failures;
    this.#pool = new BufferPool(device, failures);
    this.#pipelines = new Pipelines(device, options.immediates);
    this.#commands = new Commands(device, this.#pipelines.parameterLayout, options.profiler);
    this.#readback = new Readback(device, this.bindingBytes);
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
    for (const storage of this.#scratch) this.release(storage);
    this.#scratch = [];
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
    if (groups.includes(0)) return;
    this.#failures.throwIfKnown();
    const pipeline = this.#pipelines.get(program);
    const ranges: Range[] = [];
    const writeBack: { from: Tensor; to: Tensor }[] = [];
    pipeline.bindings.forEach(({ name, written }, index) => {
      const tensor = tensors[name as Binding]!;
      if (this.#canBind(pipeline, index, tensors)) {
        ranges.push(this.#rangeOf(tensor));
        return;
      }
      const copy = this.scratch(tensor.shape, tensor.dtype);
      this.copyWords(tensor, copy);
      if (written) writeBack.push({ from: copy, to: tensor });
      ranges.push(this.#rangeOf(copy));
    });
    const bindings = this.#bindGroup(pipeline, ranges);
    for (const { buffer } of ranges) buffer.batch = this.#commands.batch;
    this.#pack(pipeline, parameters);
    this.#commands.dispatch(program.name, pipeline, bindings, this.#words, groups);
    for (const { from, to } of writeBack) this.copyWords(from, to);
  }

  fitsBinding(tensor: Tensor): boolean {
    const { bindingBytes } = this;
    return tensor.storage.byteLength <= bindingBytes || tensor.byteLength <= bindingBytes;
  }

  /** Copies elements between tensors of one size that lie anywhere, but not in one buffer. */
  copyWords(source: Tensor, out: Tensor): void {
    const [from, to] = [this.alignedDown(source), this.alignedDown(out)];
    this.run(
      copyWords,
      { source: from.tensor, out: to.tensor },
      { size: out.size, sourceBegin: from.begin, outBegin: to.begin },
      this.grid(out.size, copyWords.threads),
    );
  }

  /** A grid with about one thread an item; programs loop over what is beyond a grid's limits. */
  grid(items: number, threads: number): [number, number, number] {
    const most = this.limits.maxComputeWorkgroupsPerDimension;
    return [Math.min(Math.ceil(items / threads), most), 1, 1];
  }

  /** The tensor with the elements before it, back to where a binding can begin. */
  alignedDown(tensor: Tensor): { tensor: Tensor; begin: number } {
    const skipped = tensor.byteOffset % this.limits.minStorageBufferOffsetAlignment;
    const begin = skipped / 4;
    const shape = [tensor.size + begin];
    const offset = tensor.byteOffset - skipped;
    return { tensor: new Tensor(shape, tensor.dtype, tensor.storage, offset), begin };
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

  #canBind(pipeline: Pipeline, index: number, tensors: Record<string, Tensor | null>): boolean {
    const { bindings } = pipeline;
    const tensor = tensors[bindings[index]!.name]!;
    if (tensor.byteOffset % this.limits.minStorageBufferOffsetAlignment !== 0) return false;
    // A tensor that is read gives way to any that is written, and of two written the later one.
    return !bindings.some(
      (other, at) =>
        other.written &&
        (bindings[index]!.written ? at < index : true) &&
        tensors[other.name]!.storage === tensor.storage,
    );
  }

  #rangeOf(tensor: Tensor): Range {
    const size = Math.max(16, Math.ceil(tensor.byteLength / 16) * 16);
    const most = this.bindingBytes + this.limits.minStorageBufferOffsetAlignment;
    if (size > most) {
      throw new UserError(
        `a tensor [${tensor.shape}] takes ${inMebibytes(size)}, and a kernel of this GPU at most ` +
          `${inMebibytes(most)}: use fewer tokens at once or a smaller model`,
      );
    }
    return { buffer: bufferOf(tensor.storage), offset: tensor.byteOffset, size };
  }

  #bindGroup(pipeline: Pipeline, ranges: Range[]): GPUBindGroup {
    let key = '';
    for (const { buffer, offset, size } of ranges) key += `${buffer.id}:${offset}:${size},`;
    const { group: layout, groups } = pipeline.layout;
    let group = groups.get(key);
    if (!group) {
      if (groups.size >= keptBindGroups) groups.clear();
      group = this.#device.createBindGroup({
        layout,
        entries: ranges.map(({ buffer, offset, size }, binding) => ({
          binding,
          resource: { buffer: buffer.gpu, offset, size },
        })),
      });
      groups.set(key, group);
    }
    return group;
  }

  #pack(pipeline: Pipeline, parameters: Record<string, number>): void {
    pipeline.parameters.forEach(({ name, type }, index) => {
      const value = parameters[name]!;
      if (type === 'f32') this.#floats[index] = value;
      else this.#words[index] = value;
    });
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
