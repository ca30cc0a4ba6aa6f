import {
  allocateModel,
  allocateQuantizedModel,
  fillModel,
  fillQuantizedModel,
  type Model,
  releaseModel,
  type TrainableModel,
} from '../model/weights.ts';
import type { Device } from '../tensor/device.ts';
import type { Checkpoint } from './checkpoint.ts';
import { openCheckpoint } from './load.ts';

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

/** The same from a checkpoint that is open, and stays so. */
export async function loadOpenModel(
  device: Device,
  checkpoint: Checkpoint,
): Promise<TrainableModel> {
  const model = allocateModel(device, checkpoint.config);
  return filled(model, () => fillModel(model, (spec) => checkpoint.readParameter(spec)));
}

/**
 * Loads a checkpoint directory for inference: weights that are quantised stay so where the device takes
 * them. `notice` gets a line for people where it does not.
 *
 * @throws UserError as `loadModel`
 */
export async function loadInferenceModel(
  device: Device,
  path: string,
  notice: (line: string) => void = () => {},
): Promise<Model> {
  const checkpoint = await openCheckpoint(path);
  try {
    const { bits, config } = checkpoint;
    if (bits === null) return await loadOpenModel(device, checkpoint);
    if (!device.writeQuantized) {
      notice(`${path}: the ${device.name} device has no quantised weights, so they become f32`);
      return await loadOpenModel(device, checkpoint);
    }
    const model = allocateQuantizedModel(device, config, bits);
    return await filled(model, () =>
      fillQuantizedModel(model, {
        floats: (spec) => checkpoint.readParameter(spec),
        rows: (spec) => checkpoint.readQuantizedParameter(spec),
      }),
    );
  } finally {
    await checkpoint.close();
  }
}

async function filled<Loaded extends Model>(
  model: Loaded,
  fill: () => Promise<void>,
): Promise<Loaded> {
  try {
    await fill();
    return model;
  } catch (error) {
    releaseModel(model);
    throw error;
  }
}
