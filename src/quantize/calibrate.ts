/** Quantising a model for the inputs that its matrices meet on texts: see `quantizeCalibrated`. */
import { loadModel } from '../checkpoint/load-model.ts';
import type { Quantizer } from '../checkpoint/save.ts';
import { parameterSpecs } from '../model/parameters.ts';
import { quantizes, releaseModel, type TrainableModel } from '../model/weights.ts';
import type { Device } from '../tensor/device.ts';
import { quantize, type Rounding } from '../tensor/quantize.ts';
import type { QuantizedBits } from '../tensor/quantized-matrix.ts';
import { readFloats, Scope } from '../tensor/scope.ts';
import { predict } from '../train/forward.ts';
import { quantizeCalibrated } from './calibrated.ts';
import { InputMoments } from './input-moments.ts';

/**
 * Passes texts through a checkpoint's model, trunk and MTP heads. What is multiplied by nothing, the
 * embedding, is quantised for itself. Holds K² numbers of f32 for each matrix of K columns, those of
 * experts each for itself.
 *
 * @throws UserError as `loadModel`
 */
export async function calibratedQuantizer(
  device: Device,
  path: string,
  texts: readonly (readonly number[])[],
  {
    bits,
    rounding,
    progress,
  }: { bits: QuantizedBits; rounding: Rounding; progress?: (done: number) => void },
): Promise<Quantizer> {
  const moments = new InputMoments(device);
  const model = await loadModel(moments.device, path);
  try {
    for (const [index, tokens] of texts.entries()) {
      progress?.(index);
      await pass(model, tokens);
    }
    const known = await readMoments(model, moments);
    return (values, { name, shape }, expert) => {
      const own = known.get(name);
      if (!own) return quantize(values, bits, rounding);
      const size = shape.at(-1)! ** 2;
      const inputs = own.subarray(expert * size, (expert + 1) * size);
      return quantizeCalibrated(values, inputs, bits, rounding);
    };
  } finally {
    releaseModel(model);
    moments.release();
  }
}

/** One text, every token of which is to be predicted, so that all rows pass the head too. */
async function pass(model: TrainableModel, tokens: readonly number[]): Promise<void> {
  const count = tokens.length;
  const batch = {
    tokens: Int32Array.from(tokens),
    positions: Int32Array.from(tokens, (_, position) => position),
    rowStart: new Int32Array(count),
    weights: new Float32Array(count).fill(1),
  };
  const scope = new Scope(model.device);
  try {
    const { predictions } = predict(scope, model, batch, model.mtp.length, {});
    // Else a GPU would be given all texts at once.
    await readFloats(model.device, predictions[0].scores.logProbability);
  } finally {
    scope.close();
  }
}

async function readMoments(
  { config, parameters }: TrainableModel,
  moments: InputMoments,
): Promise<Map<string, Float32Array>> {
  const specs = parameterSpecs(config);
  const known = new Map<string, Float32Array>();
  for (const spec of specs.filter((each) => quantizes(each, specs))) {
    // A stack is multiplied as one, and known by where it begins.
    const first = specs.find(({ stack }) => stack !== undefined && stack === spec.stack) ?? spec;
    const inputs = known.get(first.name) ?? (await moments.of(parameters.get(first.name)!));
    if (inputs) known.set(spec.name, inputs);
  }
  return known;
}
