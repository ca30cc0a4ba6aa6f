/**
 * The policy as the engine has it where that is not the trainer's own memory: a copy, quantised or on
 * another device, that is filled from the trainer's tensors without a file between. Where engine and
 * trainer share the model there is nothing to bring over: the optimizer writes what the engine reads.
 */

import { UserError } from '../../errors.ts';
import type { ModelConfig } from '../../model/config.ts';
import {
  allocateModel,
  allocateQuantizedModel,
  fillModel,
  fillQuantizedModel,
  type Model,
  type TrainableModel,
} from '../../model/weights.ts';
import type { Device } from '../../tensor/device.ts';
import { quantize } from '../../tensor/quantize.ts';
import type { QuantizedBits } from '../../tensor/quantized-matrix.ts';
import { readFloats } from '../../tensor/scope.ts';
import { Tensor } from '../../tensor/tensor.ts';

/** A model to be filled by `bring`; `bits` null for f32. */
export function allocatePolicyCopy(
  device: Device,
  config: ModelConfig,
  bits: QuantizedBits | null,
): Model {
  if (bits === null) return allocateModel(device, config);
  if (device.writeQuantized) return allocateQuantizedModel(device, config, bits);
  throw new UserError(
    `the ${device.name} device has no quantised weights: let rollouts share the trainer's`,
  );
}

/** Brings the trainer's weights into a copy; within `Engine.updateWeights` if it is in use. */
export async function bringWeights(from: TrainableModel, to: Model): Promise<void> {
  const floats = (spec: { name: string }) =>
    readFloats(from.device, from.parameters.get(spec.name)!);
  if (isTrainable(to)) return fillModel(to, floats);
  await fillQuantizedModel(to, {
    floats,
    async *rows(spec) {
      const matrix = to.parameters.get(spec.name)!;
      if (matrix instanceof Tensor) throw new Error(`${spec.name} is not quantised`);
      const source = from.parameters.get(spec.name)!;
      // Expert by expert, so that not all of a layer's are on the host at once.
      const parts = matrix.shape.length === 3 ? matrix.shape[0]! : 1;
      for (let part = 0; part < parts; part++) {
        const values = parts === 1 ? source : source.slice(part, part + 1);
        yield quantize(await readFloats(from.device, values), matrix.bits);
      }
    },
  });
}

function isTrainable(model: Model): model is TrainableModel {
  return [...model.parameters.values()].every((parameter) => parameter instanceof Tensor);
}
