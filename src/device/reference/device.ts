/**
 * The reference device: every kernel as plain loops, sums in f64, results rounded to f32. It is slow
 * and meant to be read; the other devices are checked against it.
 */
import type { Device } from '../../tensor/device.ts';
import type { Kernels } from '../../tensor/kernels.ts';
import type { Storage } from '../../tensor/tensor.ts';
import { composedKernels } from '../host/composed.ts';
import { hostLogitKernels } from '../host/logits.ts';
import { hostSamplingKernels } from '../host/sampling.ts';
import { activationKernels } from './activation.ts';
import { attentionKernels } from './attention.ts';
import { cachedAttentionKernel } from './cached-attention.ts';
import { compactCacheKernels } from './compact-cache.ts';
import { elementwiseKernels } from './elementwise.ts';
import { expertKernels } from './experts.ts';
import { inferenceKernels } from './inference.ts';
import { logprobKernels } from './logprobs.ts';
import { matmulKernels } from './matmul.ts';
import { floats, type HostStorage, ints } from './memory.ts';
import { normKernels } from './norm.ts';
import { optimizerKernels } from './optimizer.ts';
import { dequantizing, writeQuantizedRows } from './quantized.ts';
import { rotaryKernels } from './rotary.ts';
import { rowKernels } from './rows.ts';

export function createReferenceDevice(): Device {
  let allocatedBytes = 0;
  const bytesOf = (storage: Storage) => new Uint8Array((storage as HostStorage).buffer);
  const device: Device = {
    name: 'reference',
    description: 'plain TypeScript, one thread',
    precision: 'f32',
    queuesCalls: false,
    cacheTypes: ['f32', 'f16', 'i8'],
    // Filled in below, since kernels that are put together from others need the device.
    kernels: {} as Kernels,
    allocate(byteLength) {
      allocatedBytes += byteLength;
      // Garbage on purpose: a kernel that reads what nobody wrote must show.
      const buffer = new ArrayBuffer(Math.ceil(byteLength / 4) * 4);
      new Float32Array(buffer).fill(Number.NaN);
      return { byteLength, buffer } as HostStorage;
    },
    release(storage) {
      allocatedBytes -= storage.byteLength;
    },
    get allocatedBytes() {
      return allocatedBytes;
    },
    write(storage, byteOffset, data) {
      const source = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
      bytesOf(storage).set(source, byteOffset);
    },
    writeQuantized: writeQuantizedRows,
    async read(storage, byteOffset, byteLength) {
      return bytesOf(storage).slice(byteOffset, byteOffset + byteLength);
    },
    async destroy() {},
  };
  const kernels = {
    ...elementwiseKernels,
    ...matmulKernels,
    ...rowKernels,
    ...normKernels,
    ...rotaryKernels,
    ...attentionKernels,
    ...activationKernels,
    ...expertKernels,
    ...logprobKernels,
    ...optimizerKernels,
    ...compactCacheKernels({ ...attentionKernels, ...cachedAttentionKernel }),
    ...hostLogitKernels({ floats, ints }),
    ...hostSamplingKernels({ floats, ints }),
    ...inferenceKernels(device),
    ...composedKernels(device),
  } satisfies Kernels;
  Object.assign(device.kernels, dequantizing(kernels));
  return device;
}
