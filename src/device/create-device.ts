import { UserError } from '../errors.ts';
import type { Device, Precision } from '../tensor/device.ts';
import { createReferenceDevice } from './reference/device.ts';
import { createWasmDevice } from './wasm/device.ts';
import { findRealGpu } from './webgpu/adapter.ts';
import { createWebgpuDevice } from './webgpu/device.ts';

export const deviceNames = ['auto', 'webgpu', 'wasm', 'reference'] as const;

export interface DeviceRequest {
  /** Threads of the wasm device; default: as many as the machine runs at once. */
  threads?: number;
  /** What products work on; 'auto' is mixed where there are matrix units, for training. Default f32. */
  precision?: Precision | 'auto';
  /** Whether a GPU is to measure the time of its kernels; the CPU's need no preparation. */
  profile?: boolean;
}

/**
 * The device of a name. `auto` is a GPU if there is a real one, else the CPU; a software adapter is
 * taken only by name.
 *
 * @throws UserError if the name is unknown, or the machine or the device lacks what is asked for
 */
export async function createDevice(name: string, request: DeviceRequest = {}): Promise<Device> {
  const { precision = 'f32', profile = false } = request;
  switch (name) {
    case 'auto': {
      const found = await findRealGpu();
      return found ? createWebgpuDevice({ found, precision, profile }) : cpu('wasm', request);
    }
    case 'webgpu':
      return createWebgpuDevice({ precision, profile });
    case 'wasm':
    case 'reference':
      return cpu(name, request);
    default:
      throw new UserError(`there is no device '${name}': choose one of ${deviceNames.join(', ')}`);
  }
}

async function cpu(
  name: 'wasm' | 'reference',
  { threads, precision }: DeviceRequest,
): Promise<Device> {
  if (precision === 'mixed') {
    throw new UserError(
      `the device ${name} works in f32 only: mixed precision needs a GPU with matrix units ` +
        '(--device webgpu), or ask for --precision f32',
    );
  }
  if (name === 'reference') return createReferenceDevice();
  return createWasmDevice(threads === undefined ? {} : { threads });
}
