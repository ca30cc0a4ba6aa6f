import { availableParallelism } from 'node:os';
import { UserError } from '../errors.ts';
import type { Device } from '../tensor/device.ts';
import { createReferenceDevice } from './reference/device.ts';
import { createWasmDevice } from './wasm/device.ts';
import { createWebgpuDevice } from './webgpu/device.ts';

export const deviceNames = ['auto', 'webgpu', 'wasm', 'reference'] as const;
export type DeviceName = (typeof deviceNames)[number];

/**
 * The device of a name. `auto` is the CPU: the GPU is right but not yet fast, and is taken by name.
 *
 * @throws UserError if the name is unknown or the machine cannot run it.
 */
export async function createDevice(
  name: string,
  options: { threads?: number } = {},
): Promise<Device> {
  const threads = options.threads ?? availableParallelism();
  switch (name) {
    case 'auto':
    case 'wasm':
      return createWasmDevice({ threads });
    case 'webgpu':
      return createWebgpuDevice();
    case 'reference':
      return createReferenceDevice();
    default:
      throw new UserError(`there is no device '${name}': choose one of ${deviceNames.join(', ')}`);
  }
}
