import { UserError } from '../../errors.ts';
import type { CacheType } from '../../tensor/cache-type.ts';
import type { Device, Precision } from '../../tensor/device.ts';
import type { Kernels } from '../../tensor/kernels.ts';
import type { Matrix, QuantizedMatrix, QuantizedRows } from '../../tensor/quantized-matrix.ts';
import type { Storage } from '../../tensor/tensor.ts';
import { type FoundAdapter, findAdapter, openDevice } from './adapter.ts';
import { mostDispatches } from './commands.ts';
import { Failures } from './failures.ts';
import { webgpuKernels } from './kernels/index.ts';
import { arrangeBlocks } from './kernels/quantized-weights.ts';
import { withLargeTensors } from './large-tensors.ts';
import { findMatrixUnits } from './matrix-units.ts';
import { Profiler, type ProgramTime } from './profiler.ts';
import { Runtime } from './runtime.ts';
import { checkMatrixUnits } from './self-check.ts';
import { findSubgroupSize } from './subgroups.ts';

export interface WebgpuDeviceOptions {
  /** The adapter to open; default: the one the system offers first. */
  found?: FoundAdapter;
  /** Whether to measure the time of every kernel: see `takeTimes`. */
  profile?: boolean;
  /**
   * What products and attention work on. 'mixed' rounds their operands to f16 and sums in f32, for
   * training and prefill, and needs matrix units; the router stays in f32.
   * 'auto' is mixed where there are matrix units. Default 'f32'.
   */
  precision?: Precision | 'auto';
  /** Whether parameters go as immediates; default: if the adapter has them. */
  immediates?: boolean;
  /** Whether kernels use subgroups; default: if the adapter has them. */
  subgroups?: boolean;
  /** The most bytes of a tensor that a kernel is given at once; default: what the adapter allows. */
  bindingBytes?: number;
}

/**
 * A GPU through WebGPU. Kernel calls are queued; they are submitted in batches, at the latest when
 * something is read.
 *
 * @throws UserError where there is no WebGPU, no adapter, or a feature asked for is missing or broken
 */
export async function createWebgpuDevice(options: WebgpuDeviceOptions = {}): Promise<WebgpuDevice> {
  const found = options.found ?? (await findAdapter());
  const gpu = await openDevice(found);
  if (options.profile && !gpu.features.has('timestamp-query')) {
    throw new UserError(`${found.description} cannot measure time (no timestamp-query)`);
  }
  const { precision = 'f32' } = options;
  const matrixUnits = precision === 'f32' ? null : findMatrixUnits(found.adapter);
  if (precision === 'mixed' && !matrixUnits) {
    throw new UserError(
      `${found.description} has no matrix units for f16, which mixed precision needs: ` +
        'ask for --precision f32',
    );
  }
  const profiler = options.profile ? new Profiler(gpu, mostDispatches) : null;
  const immediates = options.immediates ?? found.immediates;
  const subgroupSize = options.subgroups === false ? 1 : findSubgroupSize(found.adapter);
  const runtime = new Runtime(gpu, new Failures(gpu), {
    ...{ immediates, profiler, matrixUnits, subgroupSize },
    ...(options.bindingBytes !== undefined && { bindingBytes: options.bindingBytes }),
  });
  const device = new WebgpuDevice(runtime, profiler, found);
  try {
    if (matrixUnits) await checkMatrixUnits(gpu, device);
    return device;
  } catch (error) {
    await device.destroy();
    throw error;
  }
}

export class WebgpuDevice implements Device {
  readonly name = 'webgpu';
  readonly description: string;
  readonly precision: Precision;
  readonly queuesCalls = true;
  readonly cacheTypes: readonly CacheType[] = ['f32', 'f16'];
  readonly kernels: Kernels<Matrix>;
  readonly #runtime: Runtime;
  readonly #profiler: Profiler | null;

  constructor(runtime: Runtime, profiler: Profiler | null, found: FoundAdapter) {
    this.#runtime = runtime;
    this.#profiler = profiler;
    this.precision = runtime.matrixUnits ? 'mixed' : 'f32';
    this.description = [
      'WebGPU',
      `${found.description}${found.software ? ' (software)' : ''}`,
      ...(runtime.matrixUnits ? ['mixed precision'] : []),
    ].join(', ');
    this.kernels = releasingScratch(
      withLargeTensors(webgpuKernels(runtime, this), runtime),
      runtime,
    );
  }

  get allocatedBytes(): number {
    return this.#runtime.allocatedBytes;
  }

  allocate(byteLength: number): Storage {
    return this.#runtime.allocate(byteLength);
  }

  release(storage: Storage): void {
    this.#runtime.release(storage);
  }

  write(storage: Storage, byteOffset: number, data: ArrayBufferView): void {
    this.#runtime.write(storage, byteOffset, data);
  }

  writeQuantized({ words, columns, bits }: QuantizedMatrix, rows: QuantizedRows): void {
    this.#runtime.write(words.storage, words.byteOffset, arrangeBlocks(rows, columns, bits));
  }

  read(storage: Storage, byteOffset: number, byteLength: number): Promise<Uint8Array> {
    return this.#runtime.read(storage, byteOffset, byteLength);
  }

  /** Whether kernels are timed from now on; the device must have been made with `profile`. */
  set profiling(active: boolean) {
    if (!this.#profiler) throw new Error('the device was made without `profile`');
    this.#runtime.flush();
    this.#profiler.active = active;
  }

  /** Under what name `takeTimes` keeps the time of the kernels that follow. */
  set timedWork(work: string) {
    if (this.#profiler) this.#profiler.work = work;
  }

  /**
   * Time by work and program since the last call, longest first; empty unless the device profiles.
   */
  async takeTimes(): Promise<ProgramTime[]> {
    this.#runtime.flush();
    return (await this.#profiler?.take()) ?? [];
  }

  async destroy(): Promise<void> {
    this.#runtime.destroy();
  }
}

/** The same kernels, each giving back at its end the scratch memory that it took. */
function releasingScratch(kernels: Kernels<Matrix>, runtime: Runtime): Kernels<Matrix> {
  const wrapped = Object.entries(kernels).map(([name, kernel]: [string, (a: never) => void]) => [
    name,
    (a: never) => {
      try {
        kernel(a);
      } finally {
        runtime.releaseScratch();
      }
    },
  ]);
  return Object.fromEntries(wrapped) as Kernels<Matrix>;
}
