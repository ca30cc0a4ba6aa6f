import type { Model, TrainableModel } from '../model/weights.ts';
import type { Device } from '../tensor/device.ts';
import { openCheckpoint } from './load.ts';
import { loadOpenInferenceModel, loadOpenModel } from './load-open-model.ts';

/**
 * Loads a checkpoint directory onto a device, one parameter at a time, in f32.
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

/**
 * The same for inference: see `loadOpenInferenceModel`.
 *
 * @throws UserError as `loadModel`
 */
export async function loadInferenceModel(
  device: Device,
  path: string,
  notice?: (line: string) => void,
): Promise<Model> {
  const checkpoint = await openCheckpoint(path);
  try {
    return await loadOpenInferenceModel(device, checkpoint, notice);
  } finally {
    await checkpoint.close();
  }
}
