import { allocateModel, fillModel, releaseModel, type TrainableModel } from '../model/weights.ts';
import type { Device } from '../tensor/device.ts';
import type { Checkpoint } from './checkpoint.ts';
import { openCheckpoint } from './load.ts';

/**
 * Loads a checkpoint directory onto a device, one parameter at a time.
 *
 * @throws UserError when the files are damaged or do not fit the config, or memory is short
 */
export async function loadModel(device: Device, path: string): Promise<TrainableModel> {
  const checkpoint = await openCheckpoint(path);
  try {
    return await loadOpenModel(device, checkpoint);
  } finally {
    await checkpoint.close();
  }
}

/** The same from a checkpoint that is open, and stays so. */
export async function loadOpenModel(
  device: Device,
  checkpoint: Checkpoint,
): Promise<TrainableModel> {
  const model = allocateModel(device, checkpoint.config);
  try {
    await fillModel(model, (spec) => checkpoint.readParameter(spec));
    return model;
  } catch (error) {
    releaseModel(model);
    throw error;
  }
}
