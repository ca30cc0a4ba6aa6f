/** Models of a given shape for benches: weights of any number of bits that take no time to make. */
import type { ModelConfig } from '../src/model/config.ts';
import { allocateModel, allocateQuantizedModel, type Model } from '../src/model/weights.ts';
import { Random } from '../src/random.ts';
import type { Device } from '../src/tensor/device.ts';
import { groupSize, QuantizedMatrix } from '../src/tensor/quantized-matrix.ts';

/** `bits`: 8 or 4 where matrices are to be quantised; others give f32. */
export function modelOfNoise(device: Device, config: ModelConfig, bits: number): Model {
  const model =
    bits === 8 || bits === 4
      ? allocateQuantizedModel(device, config, bits)
      : allocateModel(device, config);
  fill(device, model);
  return model;
}

/** Noise of the deviation that a new model has, repeated where there is more than a mebibyte of it. */
function fill(device: Device, { parameters, config }: Model): void {
  const random = new Random(1);
  const noise = random.normals(2 ** 18, config.initializerRange);
  const integers = Uint8Array.from({ length: 2 ** 20 }, () => random.int(0, 255));
  for (const parameter of new Set(parameters.values())) {
    if (parameter instanceof QuantizedMatrix) {
      fillQuantized(device, parameter, integers, config.initializerRange);
      continue;
    }
    const isVector = parameter.shape.length === 1;
    for (let begin = 0; begin < parameter.size; begin += noise.length) {
      const count = Math.min(noise.length, parameter.size - begin);
      const data = isVector ? new Float32Array(count).fill(1) : noise.subarray(0, count);
      device.write(parameter.storage, parameter.byteOffset + 4 * begin, data);
    }
  }
}

/** The same integers over and over, whole blocks of rows at a time. */
function fillQuantized(
  device: Device,
  { rows, columns, bits, storage, byteOffset }: QuantizedMatrix,
  integers: Uint8Array,
  deviation: number,
): void {
  const matrix = new QuantizedMatrix([rows, columns], bits, storage, byteOffset);
  // Uniform numbers deviate by 2^bits/√12; the scale is a bfloat16.
  const scale = Float32Array.of((deviation * Math.sqrt(12)) / 2 ** bits);
  const code = new Uint32Array(scale.buffer)[0]! >>> 16;
  const atOnce = Math.max(4, Math.floor(integers.length / columns / 4) * 4);
  for (let begin = 0; begin < rows; begin += atOnce) {
    const part = matrix.slice(begin, Math.min(begin + atOnce, rows));
    const numbers = integers.slice(0, (part.size * bits) / 8);
    const scales = new Uint16Array(part.size / groupSize).fill(code);
    device.writeQuantized!(part, { numbers, scales });
  }
}
