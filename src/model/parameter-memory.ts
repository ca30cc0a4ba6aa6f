/** The memory of a model's parameters on a device: taking it, filling it, giving it back. */
import type { Device } from '../tensor/device.ts';
import {
  isQuantizable,
  type Matrix,
  type QuantizedBits,
  QuantizedMatrix,
  type QuantizedRows,
  quantizedByteLength,
} from '../tensor/quantized-matrix.ts';
import { sizeOf, Tensor } from '../tensor/tensor.ts';
import type { ModelConfig } from './config.ts';
import { type ParameterSpec, parameterSpecs } from './parameters.ts';
import type { Model } from './weights.ts';

/**
 * Whether quantising a model quantises this parameter: matrices, but not the router, which decides. Those
 * of one stack are quantised together or not at all, because they are multiplied as one.
 */
export function quantizes(spec: ParameterSpec, specs: readonly ParameterSpec[]): boolean {
  const together = spec.stack ? specs.filter(({ stack }) => stack === spec.stack) : [spec];
  return together.every(
    ({ name, shape, decay }) => decay && !name.endsWith('.mlp.gate.weight') && isQuantizable(shape),
  );
}

/** Parameters of one stack share a storage. `bits`: of quantised matrices, if any. */
export function allocateParameters(
  device: Device,
  config: ModelConfig,
  bits: QuantizedBits | null,
): Map<string, Matrix> {
  const specs = parameterSpecs(config);
  const parameters = new Map<string, Matrix>();
  for (const [index, spec] of specs.entries()) {
    const { name, shape, stack } = spec;
    const width = bits !== null && quantizes(spec, specs) ? bits : null;
    let place = { storage: null as Matrix['storage'] | null, byteOffset: 0 };
    if (stack !== undefined && specs[index - 1]?.stack === stack) {
      const { storage, byteOffset, byteLength } = parameters.get(specs[index - 1]!.name)!;
      place = { storage, byteOffset: byteOffset + byteLength };
    }
    const together = stack === undefined ? [spec] : specs.filter((s) => s.stack === stack);
    const storage = place.storage ?? device.allocate(bytesOf(together, width));
    parameters.set(
      name,
      width === null
        ? new Tensor(shape, 'f32', storage, place.byteOffset)
        : new QuantizedMatrix(shape, width, storage, place.byteOffset),
    );
  }
  return parameters;
}

/** Fills a model's parameters from a source that gives each one's values. */
export async function fillModel(
  model: Model<Tensor>,
  source: (spec: ParameterSpec) => Float32Array | Promise<Float32Array>,
): Promise<void> {
  for (const spec of parameterSpecs(model.config)) {
    const { storage, byteOffset } = model.parameters.get(spec.name)!;
    model.device.write(storage, byteOffset, await source(spec));
  }
}

/**
 * The same for a quantised model. `source` gives the entries of a parameter's first dimension in turn, or
 * the whole of it, so that not all of a layer's experts need be in memory twice.
 */
export async function fillQuantizedModel(
  model: Model,
  source: {
    floats(spec: ParameterSpec): Float32Array | Promise<Float32Array>;
    rows(spec: ParameterSpec): AsyncIterable<QuantizedRows> | Iterable<QuantizedRows>;
  },
): Promise<void> {
  const { device } = model;
  for (const spec of parameterSpecs(model.config)) {
    const parameter = model.parameters.get(spec.name)!;
    if (parameter instanceof Tensor) {
      device.write(parameter.storage, parameter.byteOffset, await source.floats(spec));
      continue;
    }
    let begin = 0;
    const perRow = parameter.shape.length === 3 ? parameter.size / parameter.shape[0]! : null;
    for await (const rows of source.rows(spec)) {
      const count = perRow === null ? parameter.rows : (rows.scales.length * 32) / perRow;
      device.writeQuantized!(parameter.slice(begin, begin + count), rows);
      begin += count;
    }
  }
}

export function releaseModel(model: Model): void {
  const storages = new Set([...model.parameters.values()].map(({ storage }) => storage));
  for (const storage of storages) model.device.release(storage);
  model.parameters.clear();
}

function bytesOf(specs: readonly ParameterSpec[], bits: QuantizedBits | null): number {
  let bytes = 0;
  for (const { shape } of specs) {
    bytes += bits === null ? sizeOf(shape) * 4 : quantizedByteLength(shape, bits);
  }
  return bytes;
}
