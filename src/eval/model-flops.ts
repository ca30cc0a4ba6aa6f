import { attentionOf, type ModelConfig } from '../model/config.ts';
import { isStacked, parameterSize, parameterSpecs } from '../model/parameters.ts';

/**
 * Operations of the matrix products of a forward pass over documents of one length, `predictions` of
 * whose tokens pass the head: 2 for each parameter that a token passes (the embedding is a look-up),
 * and for attention 2·(keyDim + valueDim) for each visible key and head. MTP blocks are left out.
 */
export function forwardFlops(
  config: ModelConfig,
  work: { tokens: number; sequenceLength: number; predictions: number },
): number {
  const { trunk, head } = passedParameters(config);
  const { tokens, sequenceLength, predictions } = work;
  const attentions = config.layers.map((_, layer) => attentionOf(config, layer));
  const attention = sum(attentions.map((each) => attentionFlops(each, sequenceLength)));
  return tokens * (2 * trunk + attention) + predictions * 2 * head;
}

/**
 * The same of a training step with all MTP heads: 6 for each parameter (2 forward, 4 backward), and
 * for attention twice and a half of forward in backward. Recomputing is not counted.
 */
export function trainingFlops(config: ModelConfig, tokens: number, sequenceLength: number): number {
  const { trunk, head, mtp } = passedParameters(config);
  const attentions = [
    ...config.layers.map((_, layer) => attentionOf(config, layer)),
    ...Array.from({ length: config.mtpHeads }, () => config.slidingAttention),
  ];
  const attention = sum(attentions.map((each) => 3.5 * attentionFlops(each, sequenceLength)));
  // Each MTP block runs the shared head once more.
  const parameters = trunk + mtp + (1 + config.mtpHeads) * head;
  return tokens * (6 * parameters + attention);
}

/** Parameters that a token passes, of the parts of a model. */
function passedParameters(config: ModelConfig): { trunk: number; head: number; mtp: number } {
  const { count, perToken } = config.experts;
  const passed = { trunk: 0, head: config.vocabSize * config.hiddenSize, mtp: 0 };
  for (const spec of parameterSpecs(config)) {
    if (['model.embed_tokens.weight', 'lm_head.weight'].includes(spec.name)) continue;
    const size = parameterSize(spec);
    const part = spec.mtpHead === undefined ? 'trunk' : 'mtp';
    passed[part] += isStacked(spec) ? (size / count) * perToken : size;
  }
  return passed;
}

/** Of one token in a document, in the mean. */
function attentionFlops(
  { heads, headDim, valueHeadDim, window }: ReturnType<typeof attentionOf>,
  length: number,
): number {
  const visible =
    window === null || window >= length
      ? (length + 1) / 2
      : window - (window * (window - 1)) / (2 * length);
  return 2 * (headDim + valueHeadDim) * heads * visible;
}

function sum(values: number[]): number {
  return values.reduce((a, b) => a + b, 0);
}
