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

/**
 * Loads a checkpoint that is open, and stays so, onto a device, one parameter at a time, in f32.
 *
 * @throws UserError when the files are damaged or do not fit the config, or memory is short
 */
export async function loadOpenModel(
  device: Device,
  checkpoint: Checkpoint,
): Promise<TrainableModel> {
  const model = allocateModel(device, checkpoint.config);
  return filled(model, () => fillModel(model, (spec) => checkpoint.readParameter(spec)));
}

/**
 * The same for inference: weights that are quantised stay so where the device takes them. `notice` gets
 * a line for people where it does not.
 *
 * @throws UserError as `loadOpenModel`
 */
export async function loadOpenInferenceModel(
  device: Device,
  checkpoint: Checkpoint,
  notice: (line: string) => void = () => {},
): Promise<Model> {
  const { bits, config, name } = checkpoint;
  if (bits === null) return loadOpenModel(device, checkpoint);
  if (!device.writeQuantized) {
    notice(`${name}: the ${device.name} device has no quantised weights, so they become f32`);
    return loadOpenModel(device, checkpoint);
  }
  const model = allocateQuantizedModel(device, config, bits);
  return filled(model, () =>
    fillQuantizedModel(model, {
      floats: (spec) => checkpoint.readParameter(spec),
      rows: (spec) => checkpoint.readQuantizedParameter(spec),
    }),
  );
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
