import { Random } from '../random.ts';
import type { Device } from '../tensor/device.ts';
import type { ModelConfig } from './config.ts';
import { type ParameterSpec, parameterSize } from './parameters.ts';
import { allocateModel, fillModel, type TrainableModel } from './weights.ts';

/** A new model with random weights. The same seed gives the same weights on every device. */
export async function initializeModel(
  device: Device,
  config: ModelConfig,
  seed: number,
): Promise<TrainableModel> {
  const model = allocateModel(device, config);
  await fillModel(model, (spec) => initialValues(spec, config.initializerRange, seed));
  return model;
}

/** Matrices normal with the config's deviation; norms one; sinks and biases zero. */
export function initialValues(spec: ParameterSpec, deviation: number, seed: number): Float32Array {
  const size = parameterSize(spec);
  if (spec.initial === 'normal') return new Random(seed, spec.name).normals(size, deviation);
  return new Float32Array(size).fill(spec.initial === 'ones' ? 1 : 0);
}
