/**
 * Reference numbers made with another implementation; see the README beside them. They are not part
 * of the repository, so tests that need them run only where they are.
 */
import { existsSync, readFileSync } from 'node:fs';
import fs from 'node:fs/promises';
import { join } from 'node:path';
import { memorySource } from '../../src/checkpoint/byte-source.ts';
import { SafetensorsFile } from '../../src/checkpoint/safetensors.ts';
import { parseHubConfig } from '../../src/model/hub-config.ts';
import { hubNames, type ParameterSpec } from '../../src/model/parameters.ts';
import { allocateModel, fillModel, type Model } from '../../src/model/weights.ts';
import type { Device } from '../../src/tensor/device.ts';
import { sizeOf } from '../../src/tensor/tensor.ts';

const folder = new URL('../../../shared/reference/', import.meta.url).pathname;

export const hasFixture = existsSync(join(folder, 'tiny.scalars.json'));

export interface FixtureScalars {
  loss: number;
  mtp_losses: number[];
  mtp_loss_weight: number;
  total: number;
  grad_norm: number;
  adamw: { lr: number; betas: [number, number]; eps: number; weight_decay: number; clip: number };
}

export function fixtureScalars(): FixtureScalars {
  return JSON.parse(readFileSync(join(folder, 'tiny.scalars.json'), 'utf8'));
}

/** `tiny.<name>.safetensors` */
export async function fixtureFile(name: string): Promise<SafetensorsFile> {
  const file = `tiny.${name}.safetensors`;
  const bytes = new Uint8Array(await fs.readFile(join(folder, file)));
  return SafetensorsFile.open(memorySource(file, bytes));
}

export async function fixtureModel(device: Device): Promise<Model> {
  const config = JSON.parse(await fs.readFile(join(folder, 'tiny.config.json'), 'utf8'));
  const file = await fixtureFile('model');
  const model = allocateModel(device, {
    ...parseHubConfig(config, 'tiny.config.json'),
    mtpHeads: fixtureScalars().mtp_losses.length,
  });
  await fillModel(model, (spec) => fixtureParameter(file, spec));
  return model;
}

/** A parameter, its gradient or its value after a step, by the prefix of its name. */
export async function fixtureParameter(
  file: SafetensorsFile,
  spec: ParameterSpec,
  prefix = '',
): Promise<Float32Array> {
  const values = new Float32Array(sizeOf(spec.shape));
  const names = hubNames(spec);
  for (const [i, name] of names.entries()) {
    values.set(await file.readFloats(prefix + name), (i * values.length) / names.length);
  }
  return values;
}

/** The token ids [2,96], as two documents. */
export async function fixtureDocuments(): Promise<Int32Array[]> {
  const ids = await (await fixtureFile('expected')).readIntegers('input_ids');
  return [ids.slice(0, 96), ids.slice(96)];
}
