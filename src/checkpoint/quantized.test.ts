import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { randomParameters, temporaryDirectory } from '../../test/support/checkpoint.ts';
import { tinyConfig } from '../../test/tiny-config.ts';
import { createReferenceDevice } from '../device/reference/device.ts';
import { createWasmDevice } from '../device/wasm/device.ts';
import { packDocuments } from '../model/batch.ts';
import { quantizes } from '../model/parameter-memory.ts';
import { parameterSpecs } from '../model/parameters.ts';
import { trunk } from '../model/trunk.ts';
import type { Model } from '../model/weights.ts';
import { releaseModel } from '../model/weights.ts';
import { dequantize, quantize } from '../tensor/quantize.ts';
import { QuantizedMatrix } from '../tensor/quantized-matrix.ts';
import { readFloats, Scope } from '../tensor/scope.ts';
import { openCheckpoint } from './load.ts';
import { loadInferenceModel } from './load-model.ts';
import { saveCheckpoint } from './save.ts';

/** A model of which some matrices can be quantised and others cannot. */
const config = tinyConfig({ hiddenSize: 128, intermediateSize: 128, vocabSize: 40 });

async function save(bits: 8 | 4, maxShardBytes?: number) {
  const path = join(await temporaryDirectory(), 'model');
  const parameters = randomParameters(config).map(({ spec, data }) => ({
    spec,
    data: data.map((value) => value * 0.2),
  }));
  await saveCheckpoint(path, config, parameters, {
    dtype: 'f32',
    bits,
    ...(maxShardBytes !== undefined && { maxShardBytes }),
  });
  return { path, parameters };
}

test.each([
  [8, undefined],
  [4, undefined],
  [4, 4096],
] as const)('%i bits in shards of %s: what is saved is read', async (bits, maxShardBytes) => {
  const { path, parameters } = await save(bits, maxShardBytes);
  const checkpoint = await openCheckpoint(path);
  expect(checkpoint.bits).toBe(bits);
  expect(checkpoint.config).toEqual(config);
  const specs = parameterSpecs(config);
  expect(specs.filter((spec) => quantizes(spec, specs)).length).toBeGreaterThan(5);
  for (const { spec, data } of parameters) {
    const expected = quantizes(spec, specs) ? dequantize(quantize(data, bits), bits) : data;
    expect(await checkpoint.readParameter(spec), spec.name).toEqual(expected);
  }
  await checkpoint.close();
});

async function hiddenOf(model: Model): Promise<Float32Array> {
  const scope = new Scope(model.device);
  const { hidden } = trunk(scope, model, packDocuments(scope, [[3, 1, 4, 1, 5, 9, 2, 6]]));
  const values = await readFloats(model.device, hidden);
  scope.close();
  return values;
}

test.each([8, 4] as const)('%i bits: the model computes with quantised weights', async (bits) => {
  const { path } = await save(bits);
  const reference = await loadInferenceModel(createReferenceDevice(), path);
  const expected = await hiddenOf(reference);
  const device = await createWasmDevice({ threads: 2 });
  const model = await loadInferenceModel(device, path);
  expect(model.head).toBeInstanceOf(QuantizedMatrix);
  expect(model.layers[0]!.attention.queryKeyValue).toBeInstanceOf(QuantizedMatrix);
  const found = await hiddenOf(model);
  const largest = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  found.forEach((value, i) => {
    expect(Math.abs(value - expected[i]!)).toBeLessThan(0.05 * largest);
  });
  releaseModel(model);
  expect(device.allocatedBytes).toBe(0);
  await device.destroy();
});

test('a device without quantised weights gets f32 ones, and says so', async () => {
  const { path } = await save(8);
  const { writeQuantized, ...device } = createReferenceDevice();
  const lines: string[] = [];
  const model = await loadInferenceModel(device, path, (line) => lines.push(line));
  expect(lines).toEqual([
    `${path}: the reference device has no quantised weights, so they become f32`,
  ]);
  expect(model.head).not.toBeInstanceOf(QuantizedMatrix);
});

async function withQuantization(path: string, change: object): Promise<void> {
  const file = join(path, 'config.json');
  const json = JSON.parse(await readFile(file, 'utf8'));
  json.quantization_config = { ...json.quantization_config, ...change };
  await writeFile(file, JSON.stringify(json));
}

test.each([
  [{ group_size: 64 }, 'quantization_config.group_size is 64; it must be 32'],
  [{ bits: 3 }, 'quantization_config.bits is 3; it must be 8 or 4'],
  [{ bits: 4 }, 'but config.json asks for'],
  [{ quant_method: 'gptq' }, 'quantization_config.quant_method is "gptq"; it must be "fp8" or'],
])('%j is one line', async (change, message) => {
  const { path } = await save(8);
  await withQuantization(path, change);
  const error: unknown = await openCheckpoint(path).catch((reason) => reason);
  expect((error as Error).name).toBe('UserError');
  expect((error as Error).message).toContain(message);
  expect((error as Error).message).not.toContain('\n');
});

test('weights that are not quantised although the config says so', async () => {
  const path = join(await temporaryDirectory(), 'model');
  await saveCheckpoint(path, config, randomParameters(config), { dtype: 'f32' });
  const change = { quant_method: 'mimoflash', bits: 8, group_size: 32 };
  await withQuantization(path, change);
  await expect(openCheckpoint(path)).rejects.toThrow('is F32, but config.json says');
});
