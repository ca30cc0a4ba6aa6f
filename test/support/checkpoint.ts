/** Random weights and temporary folders, for tests of what reads and writes checkpoints. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { ParameterData } from '../../src/checkpoint/save.ts';
import type { ModelConfig } from '../../src/model/config.ts';
import { parameterSize, parameterSpecs } from '../../src/model/parameters.ts';

/** Numbers in [-1, 1), the same for the same seed. */
export function randomFloats(length: number, seed: number): Float32Array {
  let state = seed >>> 0;
  return Float32Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  });
}

/** All parameters of a model, different for each seed. */
export function randomParameters(config: ModelConfig, seed = 1): ParameterData[] {
  return parameterSpecs(config).map((spec, index) => ({
    spec,
    data: randomFloats(parameterSize(spec), seed * 1000 + index),
  }));
}

/** An empty directory that goes away with the test. */
export async function temporaryDirectory(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'mimoflash-'));
  onTestFinished(() => rm(path, { recursive: true, force: true }));
  return path;
}

/** An error as the file system throws it. */
export function systemError(code: string): Error {
  return Object.assign(new Error(`${code}: simulated`), { code, syscall: 'simulated' });
}
