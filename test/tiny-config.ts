import type { ModelConfig } from '../src/model/config.ts';

/** A small config with every feature of the architecture, for tests; change what a test is about. */
export function tinyConfig(changes: Partial<ModelConfig> = {}): ModelConfig {
  return {
    hiddenSize: 16,
    vocabSize: 24,
    maxPositions: 512,
    tieWordEmbeddings: false,
    normEpsilon: 1e-5,
    initializerRange: 0.2,
    layers: [
      { attention: 'global', feedForward: 'dense' },
      { attention: 'sliding', feedForward: 'experts' },
      { attention: 'global', feedForward: 'experts' },
    ],
    globalAttention: {
      heads: 4,
      keyValueHeads: 1,
      headDim: 12,
      valueHeadDim: 8,
      rotaryDim: 4,
      ropeTheta: 5_000_000,
      window: null,
      sink: false,
    },
    slidingAttention: {
      heads: 4,
      keyValueHeads: 2,
      headDim: 12,
      valueHeadDim: 8,
      rotaryDim: 4,
      ropeTheta: 10_000,
      window: 6,
      sink: true,
    },
    valueScale: 0.707,
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
    mtpHeads: 3,
    mtpHidden: 'post-norm',
    eosTokenIds: [2],
    padTokenId: 0,
    bosTokenId: null,
    ...changes,
  };
}
