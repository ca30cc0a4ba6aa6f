/** Checkpoints in the hub's layout written by hand, so that anything about them can be wrong. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import { openCheckpoint } from '../../src/checkpoint/load.ts';
import { encodeFloats } from '../../src/checkpoint/number-formats.ts';
import type { Dtype } from '../../src/checkpoint/safetensors-header.ts';
import { writeSafetensors } from '../../src/checkpoint/safetensors-writer.ts';
import { UserError } from '../../src/errors.ts';
import type { ModelConfig } from '../../src/model/config.ts';
import { randomParameters, temporaryDirectory } from './checkpoint.ts';

export interface StoredTensor {
  dtype: Dtype;
  shape: number[];
  bytes: Uint8Array;
}

/** A float32 tensor. */
export function stored(shape: number[], values: Float32Array): StoredTensor {
  return { dtype: 'F32', shape, bytes: encodeFloats('F32', values) };
}

export type Tensors = Record<string, StoredTensor>;

/** All tensors of a model by their hub names, in float32, to be damaged by a test. */
export function hubTensors(config: ModelConfig): Tensors {
  const entries = randomParameters(config).flatMap(({ spec, data }) => {
    const [before, after] = spec.name.split('.experts.');
    if (after === undefined) return [[spec.name, stored(spec.shape, data)] as const];
    const [count, ...shape] = spec.shape as [number, number, number];
    const size = data.length / count;
    return Array.from({ length: count }, (_, expert) => {
      const values = data.subarray(expert * size, (expert + 1) * size);
      return [`${before}.experts.${expert}.${after}`, stored(shape, values)] as const;
    });
  });
  return Object.fromEntries(entries);
}

export async function writeTensors(path: string, tensors: Tensors): Promise<void> {
  const entries = Object.entries(tensors);
  const layout = entries.map(([name, { dtype, shape }]) => ({ name, dtype, shape }));
  await writeSafetensors(
    path,
    layout,
    entries.map(([name, { bytes }]) => [name, bytes]),
  );
}

/** A checkpoint directory with these files. */
export async function writeDirectory(
  config: Record<string, unknown>,
  files: Record<string, Tensors>,
): Promise<string> {
  const path = await temporaryDirectory();
  await writeFile(join(path, 'config.json'), JSON.stringify(config));
  for (const [name, tensors] of Object.entries(files))
    await writeTensors(join(path, name), tensors);
  return path;
}

/** The one line that a checkpoint is refused with. */
export async function problemOf(path: string): Promise<string> {
  const error = await openCheckpoint(path).then(
    (checkpoint) => checkpoint.close(),
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(UserError);
  const { message } = error as UserError;
  expect(message).not.toContain('\n');
  return message;
}
