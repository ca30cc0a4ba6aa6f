import { type CacheType, cachedHeadSize } from '../tensor/cache-type.ts';
import { bytesPerElement } from '../tensor/tensor.ts';
import { type AttentionConfig, attentionOf, type ModelConfig } from './config.ts';
import { isStacked, parameterSize, parameterSpecs } from './parameters.ts';

/** Sizes that follow from a config alone. */
export interface ModelSummary {
  layers: {
    total: number;
    global: number;
    sliding: number;
    dense: number;
    experts: number;
    mtp: number;
  };
  parameters: {
    /** All but the MTP blocks. */
    trunk: number;
    /** Of the trunk, those that one token passes: a token reads one row of the embedding. */
    active: number;
    embedding: number;
    mtp: number;
  };
  cache: {
    globalBytesPerToken: number;
    /** Whole size of the rings, MTP blocks included. */
    slidingBytes: number;
    window: number;
    context: number;
    bytesAtFullContext: number;
    /** The same with a growing cache in every layer of the trunk and every MTP block. */
    allGlobalBytes: number;
  };
}

/** `cacheType`: of the caches whose sizes are told. */
export function describeModel(config: ModelConfig, cacheType: CacheType = 'f32'): ModelSummary {
  const bytesPerToken = (attention: AttentionConfig) => cachedBytes(attention, cacheType);
  const attentions = config.layers.map((_, layer) => attentionOf(config, layer));
  const mtpAttentions = Array.from({ length: config.mtpHeads }, () => config.slidingAttention);
  const all = [...attentions, ...mtpAttentions];
  const growing = all.filter(({ window }) => window === null);
  const rings = all.filter(({ window }) => window !== null);
  const context = config.maxPositions;
  const globalBytesPerToken = sum(growing.map(bytesPerToken));
  const slidingBytes = sum(rings.map((a) => bytesPerToken(a) * Math.min(a.window!, context)));
  const kinds = config.layers;
  return {
    layers: {
      total: kinds.length,
      global: kinds.filter(({ attention }) => attention === 'global').length,
      sliding: kinds.filter(({ attention }) => attention === 'sliding').length,
      dense: kinds.filter(({ feedForward }) => feedForward === 'dense').length,
      experts: kinds.filter(({ feedForward }) => feedForward === 'experts').length,
      mtp: config.mtpHeads,
    },
    parameters: countParameters(config),
    cache: {
      globalBytesPerToken,
      slidingBytes,
      window: config.slidingAttention.window ?? context,
      context,
      bytesAtFullContext: globalBytesPerToken * context + slidingBytes,
      allGlobalBytes: sum(all.map(bytesPerToken)) * context,
    },
  };
}

function countParameters(config: ModelConfig): ModelSummary['parameters'] {
  const { count, perToken } = config.experts;
  const counts = { trunk: 0, active: 0, embedding: 0, mtp: 0 };
  for (const spec of parameterSpecs(config)) {
    const size = parameterSize(spec);
    if (spec.mtpHead !== undefined) {
      counts.mtp += size;
      continue;
    }
    counts.trunk += size;
    if (spec.name === 'model.embed_tokens.weight') {
      counts.embedding += size;
      counts.active += config.tieWordEmbeddings ? size : config.hiddenSize;
    } else {
      if (spec.name === 'lm_head.weight') counts.embedding += size;
      counts.active += isStacked(spec) ? (size / count) * perToken : size;
    }
  }
  return counts;
}

/** Of the keys and values of a position. */
function cachedBytes(
  { keyValueHeads, headDim, valueHeadDim }: AttentionConfig,
  type: CacheType,
): number {
  const numbers = cachedHeadSize(type, headDim) + cachedHeadSize(type, valueHeadDim);
  return keyValueHeads * numbers * bytesPerElement[type];
}

function sum(values: number[]): number {
  return values.reduce((a, b) => a + b, 0);
}
