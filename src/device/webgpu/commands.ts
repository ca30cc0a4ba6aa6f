import { parameterBytes } from './adapter.ts';
import type { PooledBuffer } from './buffer-pool.ts';
import { usage } from './buffer-pool.ts';
import type { Pipeline } from './pipelines.ts';
import type { Profiler } from './profiler.ts';

/**
 * Dispatches of one submission. Few submissions keep the host cheap; too few keep a GPU that has nothing
 * else to do waiting for its first work, and a step of decoding, of 50 dispatches, then takes the host's
 * time and the GPU's.
 */
const dispatchesWhileIdle = 24;
export const mostDispatches = 128;

/** Space between the parameters of two dispatches in the uniform buffer. */
const parameterStride = 256;

/**
 * The commands that wait to be submitted. They run in the order in which they are added; WebGPU makes
 * each dispatch see what those before it wrote.
 */
export class Commands {
  readonly #device: GPUDevice;
  readonly #profiler: Profiler | null;
  readonly #uniforms: Uniforms | null;
  readonly #isBusy: () => boolean;
  #encoder: GPUCommandEncoder | null = null;
  #pass: GPUComputePassEncoder | null = null;
  #dispatches = 0;
  /** The number of the batch that is being filled. */
  batch = 0;

  /**
   * `parameterLayout` is null where parameters are immediates; `isBusy`: whether the GPU is known to work
   * on what was submitted before.
   */
  constructor(
    device: GPUDevice,
    parameterLayout: GPUBindGroupLayout | null,
    profiler: Profiler | null,
    isBusy: () => boolean,
  ) {
    this.#device = device;
    this.#isBusy = isBusy;
    this.#profiler = profiler;
    this.#uniforms = parameterLayout && new Uniforms(device, parameterLayout);
  }

  dispatch(
    name: string,
    pipeline: Pipeline,
    bindings: GPUBindGroup,
    parameters: Uint32Array<ArrayBuffer>,
    groups: readonly [number, number, number],
  ): void {
    this.#encoder ??= this.#device.createCommandEncoder();
    this.#pass ??= this.#encoder.beginComputePass(this.#profiler?.begin(name));
    const pass = this.#pass;
    pass.setPipeline(pipeline.gpu);
    pass.setBindGroup(0, bindings);
    if (pipeline.parameters.length > 0 && !pipeline.keepsParameters) {
      if (this.#uniforms) {
        pass.setBindGroup(1, this.#uniforms.group, [this.#uniforms.add(parameters)]);
      } else {
        pass.setImmediates(0, parameters, 0, pipeline.parameters.length);
      }
    } else if (this.#uniforms) {
      pass.setBindGroup(1, this.#uniforms.group, [0]);
    }
    pass.dispatchWorkgroups(groups[0], groups[1], groups[2]);
    if (this.#profiler?.active) this.#endPass();
    const most = this.#isBusy() ? mostDispatches : dispatchesWhileIdle;
    if (++this.#dispatches >= most) this.flush();
  }

  copy(
    source: PooledBuffer,
    sourceOffset: number,
    target: GPUBuffer,
    targetOffset: number,
    byteLength: number,
  ): void {
    this.#encoder ??= this.#device.createCommandEncoder();
    this.#endPass();
    this.#encoder.copyBufferToBuffer(source.gpu, sourceOffset, target, targetOffset, byteLength);
    source.batch = this.batch;
  }

  /** Submits everything that waits. */
  flush(): void {
    const encoder = this.#encoder;
    if (!encoder) return;
    this.#endPass();
    const submitted = this.#profiler?.resolve(encoder);
    this.#uniforms?.upload();
    this.#device.queue.submit([encoder.finish()]);
    submitted?.();
    this.#encoder = null;
    this.#dispatches = 0;
    this.batch++;
  }

  #endPass(): void {
    this.#pass?.end();
    this.#pass = null;
  }
}

/**
 * Parameters of a batch in one uniform buffer, for where there are no immediates. The buffer is
 * written before each submission; the queue's order keeps that apart from the batch before.
 */
class Uniforms {
  readonly group: GPUBindGroup;
  readonly #device: GPUDevice;
  readonly #buffer: GPUBuffer;
  readonly #data = new Uint32Array((mostDispatches * parameterStride) / 4);
  #count = 0;

  constructor(device: GPUDevice, layout: GPUBindGroupLayout) {
    this.#device = device;
    this.#buffer = device.createBuffer({
      size: this.#data.byteLength,
      usage: usage.uniform | usage.copyTarget,
    });
    this.group = device.createBindGroup({
      layout,
      entries: [{ binding: 0, resource: { buffer: this.#buffer, size: parameterBytes } }],
    });
  }

  /** Where the parameters will lie. */
  add(parameters: Uint32Array): number {
    const offset = parameterStride * this.#count++;
    this.#data.set(parameters, offset / 4);
    return offset;
  }

  upload(): void {
    if (this.#count === 0) return;
    this.#device.queue.writeBuffer(
      this.#buffer,
      0,
      this.#data,
      0,
      this.#count * (parameterStride / 4),
    );
    this.#count = 0;
  }
}
