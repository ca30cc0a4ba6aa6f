import type { Model } from '../model/weights.ts';
import type { Device } from '../tensor/device.ts';
import { openCheckpoint } from './load.ts';
import { loadOpenModel } from './load-open-model.ts';

/**
 * Loads a checkpoint directory onto a device, one parameter at a time.
 *
 * @throws UserError when the files are damaged or do not fit the config, or memory is short
 */
export async function loadModel(device: Device, path: string): Promise<Model> {
  const checkpoint = await openCheckpoint(path);
  try {
    return await loadOpenModel(device, checkpoint);
  } finally {
    await checkpoint.close();
  }
}
