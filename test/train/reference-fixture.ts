/**
 * Reference numbers made with another implementation; see the README beside them. They are not part
 * of the repository, so tests that need them run only where they are.
 */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { SafetensorsFile } from '../../src/checkpoint/safetensors.ts';
import { type Fixture, openFixture } from '../../src/eval/fixture.ts';
import { hubNames, type ParameterSpec } from '../../src/model/parameters.ts';
import { sizeOf } from '../../src/tensor/tensor.ts';

export { fixtureDocuments } from '../../src/eval/parity.ts';

const prefix = fileURLToPath(new URL('../../../shared/reference/tiny', import.meta.url));

export const hasFixture = existsSync(`${prefix}.scalars.json`);

export function openReference(): Promise<Fixture> {
  return openFixture(prefix);
}

/** A parameter's gradient, or its value after a step, by the prefix of its name in the file. */
export async function fixtureParameter(
  file: SafetensorsFile,
  prefix: string,
  spec: ParameterSpec,
): Promise<Float32Array> {
  const values = new Float32Array(sizeOf(spec.shape));
  const names = hubNames(spec);
  for (const [i, name] of names.entries()) {
    values.set(await file.readFloats(prefix + name), (i * values.length) / names.length);
  }
  return values;
}
