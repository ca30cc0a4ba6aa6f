import type { Device } from './device.ts';
import type { Kernels } from './kernels.ts';
import type { Matrix } from './quantized-matrix.ts';

/**
 * A device with other kernels, which may watch those that it had: what training needs of it; formats of
 * inference are left out.
 */
export function withKernels(device: Device, kernels: Kernels<Matrix>): Device {
  const { name, description, precision, queuesCalls, cacheTypes } = device;
  return {
    name,
    description,
    precision,
    queuesCalls,
    cacheTypes,
    kernels,
    allocate: (byteLength) => device.allocate(byteLength),
    release: (storage) => device.release(storage),
    get allocatedBytes() {
      return device.allocatedBytes;
    },
    write: (storage, byteOffset, data) => device.write(storage, byteOffset, data),
    read: (storage, byteOffset, byteLength) => device.read(storage, byteOffset, byteLength),
    destroy: () => device.destroy(),
  };
}
