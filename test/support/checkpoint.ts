/** Small models with random weights, for tests of what reads and writes them. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { ParameterData } from '../../src/checkpoint/save.ts';
import type { ModelConfig } from '../../src/model/config.ts';
import { parameterSize, parameterSpecs } from '../../src/model/parameters.ts';

/** Five layers of every kind, four experts, two MTP heads; about 12,000 weights. */
export function tinyConfig(changes: Partial<ModelConfig> = {}): ModelConfig {
  const attention = { heads: 4, headDim: 6, valueHeadDim: 4, rotaryDim: 2 };
  return {
    hiddenSize: 16,
    vocabSize: 32,
    maxPositions: 128,
    tieWordEmbeddings: false,
    normEpsilon: 1e-5,
    initializerRange: 0.02,
    layers: [
      { attention: 'global', feedForward: 'dense' },
      { attention: 'sliding', feedForward: 'experts' },
      { attention: 'global', feedForward: 'experts' },
    ],
    globalAttention: { ...attention, keyValueHeads: 1, ropeTheta: 5e6, window: null, sink: false },
    slidingAttention: { ...attention, keyValueHeads: 2, ropeTheta: 1e4, window: 8, sink: true },
    valueScale: 0.5,
    intermediateSize: 24,
    experts: {
      count: 4,
      perToken: 2,
      intermediateSize: 8,
      shared: 0,
      groups: 1,
      selectedGroups: 1,
      normalizeWeights: true,
      scalingFactor: 1,
    },
    mtpHeads: 2,
    mtpHidden: 'post-norm',
    eosTokenIds: [2],
    padTokenId: 0,
    bosTokenId: null,
    ...changes,
  };
}

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
