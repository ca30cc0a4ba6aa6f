import { tinyConfig } from '../tiny-config.ts';

/** A model with one layer of every kind, small enough for the reference device. */
export const smallConfig = tinyConfig({
  hiddenSize: 12,
  maxPositions: 64,
  initializerRange: 0.3,
  globalAttention: attention(1, null),
  slidingAttention: attention(2, 3),
  intermediateSize: 16,
  mtpHeads: 2,
  eosTokenIds: [0],
  padTokenId: null,
});

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
