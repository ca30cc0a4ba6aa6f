/**
 * The shape of a MiMo-V2-Flash model in our own words. Hub `config.json` files are read into this
 * and written from it by `hub-config.ts`; nothing else knows the hub's field names.
 */
export interface ModelConfig {
  hiddenSize: number;
  vocabSize: number;
  /** Longest position the model may be asked for, in tokens. */
  maxPositions: number;
  tieWordEmbeddings: boolean;
  normEpsilon: number;
  /** Standard deviation of the initial weights. */
  initializerRange: number;

  /** One entry per layer of the trunk. */
  layers: LayerConfig[];
  /** Global layers see every earlier token of the document. */
  globalAttention: AttentionConfig;
  /** Sliding-window layers, and every MTP block. */
  slidingAttention: AttentionConfig;
  /** Values are scaled by this in every layer (0.707 in the released model). */
  valueScale: number;

  /** Width of the dense feed-forward layers, and of every MTP block's. */
  intermediateSize: number;
  experts: ExpertsConfig;

  /** Number of parallel multi-token-prediction blocks; 0 for none. */
  mtpHeads: number;
  /** Whether MTP blocks read the trunk's hidden state after or before its final norm. */
  mtpHidden: 'post-norm' | 'pre-norm';

  eosTokenIds: number[];
  padTokenId: number | null;
  bosTokenId: number | null;
}

export interface LayerConfig {
  attention: 'global' | 'sliding';
  feedForward: 'dense' | 'experts';
}

export interface AttentionConfig {
  heads: number;
  keyValueHeads: number;
  /** Size of a query or key head. */
  headDim: number;
  /** Size of a value head. */
  valueHeadDim: number;
  /** The first `rotaryDim` dimensions of each head are rotated, in half-split pairs. */
  rotaryDim: number;
  ropeTheta: number;
  /** Keys visible to a query, itself included; `null` sees the whole document. */
  window: number | null;
  /** Whether each query head has a learnable sink logit. */
  sink: boolean;
}

export interface ExpertsConfig {
  count: number;
  /** Experts chosen for each token. */
  perToken: number;
  intermediateSize: number;
  /** Experts that every token passes, fused to one dense block of `shared × intermediateSize`. */
  shared: number;
  /** Experts come in `groups`, of which `selectedGroups` are open to a token; 1 and 1 is no limit. */
  groups: number;
  selectedGroups: number;
  /** Whether a token's expert weights are divided by their sum. */
  normalizeWeights: boolean;
  /** Multiplies the weights after normalising. */
  scalingFactor: number;
}

/** The attention settings of layer `index` of the trunk. */
export function attentionOf(config: ModelConfig, index: number): AttentionConfig {
  const kind = config.layers[index]!.attention;
  return kind === 'global' ? config.globalAttention : config.slidingAttention;
}
