import type { ModelConfig } from '../../src/model/config.ts';
import { initialValues } from '../../src/model/initialize.ts';
import { allocateQuantizedModel, fillQuantizedModel, type Model } from '../../src/model/weights.ts';
import type { Device } from '../../src/tensor/device.ts';
import { quantize } from '../../src/tensor/quantize.ts';
import type { QuantizedBits } from '../../src/tensor/quantized-matrix.ts';
import { tinyConfig } from '../tiny-config.ts';

const tiny = tinyConfig();

const heads = { heads: 8, keyValueHeads: 2, headDim: 16, valueHeadDim: 16 };

/** The features of the tiny config in sizes with which every matrix can be quantised. */
export const quantizableConfig: ModelConfig = tinyConfig({
  hiddenSize: 128,
  initializerRange: 0.08,
  maxPositions: 1024,
  globalAttention: { ...tiny.globalAttention, ...heads },
  slidingAttention: { ...tiny.slidingAttention, ...heads, window: 40 },
  intermediateSize: 128,
  experts: { ...tiny.experts, intermediateSize: 128 },
});

/** A new model with random weights, of which the matrices are quantised. */
export async function quantizedModel(
  device: Device,
  bits: QuantizedBits,
  config: ModelConfig = quantizableConfig,
): Promise<Model> {
  const model = allocateQuantizedModel(device, config, bits);
  await fillQuantizedModel(model, {
    floats: async (spec) => initialValues(spec, config.initializerRange, 1),
    rows: (spec) => [quantize(initialValues(spec, config.initializerRange, 1), bits)],
  });
  return model;
}
