import { allocateModel, fillModel, type Model, releaseModel } from '../model/weights.ts';
import type { Device } from '../tensor/device.ts';
import type { Checkpoint } from './checkpoint.ts';

/**
 * Loads a checkpoint that is open, and stays so, onto a device, one parameter at a time.
 *
 * @throws UserError when the files are damaged or do not fit the config, or memory is short
 */
export async function loadOpenModel(device: Device, checkpoint: Checkpoint): Promise<Model> {
  const model = allocateModel(device, checkpoint.config);
  try {
    await fillModel(model, (spec) => checkpoint.readParameter(spec));
    return model;
  } catch (error) {
    releaseModel(model);
    throw error;
  }
}
