import { parameterSpecs } from '../model/parameters.ts';
import type { TrainableModel } from '../model/weights.ts';
import { sizeOf, Tensor } from '../tensor/tensor.ts';

/** A gradient buffer for each trained parameter; the others are frozen. */
export type Gradients = ReadonlyMap<Tensor, Tensor>;

/** Buffers of zeros for all that a gradient trains, or for those whose name `only` accepts. */
export function allocateGradients(
  model: TrainableModel,
  only: (name: string) => boolean = () => true,
): Gradients {
  const { device, parameters } = model;
  const gradients = new Map<Tensor, Tensor>();
  for (const { name, shape, trained } of parameterSpecs(model.config)) {
    if (!trained || !only(name)) continue;
    const storage = device.allocate(sizeOf(shape) * 4);
    gradients.set(parameters.get(name)!, new Tensor(shape, 'f32', storage));
  }
  zeroGradients(model, gradients);
  return gradients;
}

export function zeroGradients({ device }: TrainableModel, gradients: Gradients): void {
  for (const gradient of gradients.values()) device.kernels.fill({ out: gradient, value: 0 });
}

export function releaseGradients({ device }: TrainableModel, gradients: Gradients): void {
  for (const { storage } of gradients.values()) device.release(storage);
}
