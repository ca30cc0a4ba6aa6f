import type { ModelConfig } from '../../src/model/config.ts';

/** A model with one layer of every kind, small enough for the reference device. */
export const smallConfig: ModelConfig = {
  hiddenSize: 12,
  vocabSize: 24,
  maxPositions: 64,
  tieWordEmbeddings: false,
  normEpsilon: 1e-5,
  initializerRange: 0.3,
  layers: [
    { attention: 'global', feedForward: 'dense' },
    { attention: 'sliding', feedForward: 'experts' },
    { attention: 'global', feedForward: 'experts' },
  ],
  globalAttention: attention(1, null),
  slidingAttention: attention(2, 3),
  valueScale: 0.707,
  intermediateSize: 16,
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
  eosTokenIds: [0],
  padTokenId: null,
  bosTokenId: null,
};

function attention(keyValueHeads: number, window: number | null) {
  return {
    heads: 2,
    keyValueHeads,
    headDim: 8,
    valueHeadDim: 6,
    rotaryDim: 4,
    ropeTheta: 1000,
    window,
    sink: window !== null,
  };
}
