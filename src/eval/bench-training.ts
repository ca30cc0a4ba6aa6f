import { attentionOf, type ModelConfig } from '../model/config.ts';
import { isStacked, parameterSize, parameterSpecs } from '../model/parameters.ts';
import type { TrainableModel } from '../model/weights.ts';
import { Random } from '../random.ts';
import { allocateGradients, releaseGradients } from '../train/gradients.ts';
import { forwardBackward } from '../train/objective.ts';
import { AdamW } from '../train/optimizer.ts';
import { stepTotals, trainingBatch } from '../train/targets.ts';
import type { TrainingFigure } from './bench.ts';
import { bestSeconds } from './measure.ts';

/** A whole optimizer step on packed random tokens: forward, backward, clipping, AdamW. */
export async function measureTraining(
  model: TrainableModel,
  { trainingTokens, sequenceLength }: { trainingTokens: number; sequenceLength: number },
  matmulGflops: number,
): Promise<TrainingFigure> {
  const { config } = model;
  const random = new Random(3);
  const documents = Array.from({ length: Math.ceil(trainingTokens / sequenceLength) }, () =>
    Array.from({ length: sequenceLength }, () => random.int(0, config.vocabSize - 1)),
  );
  const batch = trainingBatch(documents);
  const mtpLossWeight = config.mtpHeads > 0 ? 0.3 : 0;
  const totals = stepTotals([batch], config.mtpHeads);
  const gradients = allocateGradients(model);
  const optimizer = new AdamW(model, gradients, {});
  const seconds = await bestSeconds(
    async () => {
      await forwardBackward(model, gradients, batch, { totals, mtpLossWeight });
      await optimizer.step(1e-4);
    },
    { minimumRuns: 3, minimumSeconds: 3 },
  );
  optimizer.release();
  releaseGradients(model, gradients);
  const tokens = batch.tokens.length;
  const gflops = (trainingFlops(config, tokens, sequenceLength) / seconds) * 1e-9;
  return {
    tokensPerSecond: tokens / seconds,
    tokens,
    sequenceLength,
    gflops,
    shareOfMatmul: gflops / matmulGflops,
  };
}

/**
 * Operations of a step: 6 for each parameter that a token passes (2 forward, 4 backward; the embedding
 * is a look-up), and for attention 2·(keyDim + valueDim) forward for each visible key and head, and
 * twice that and a half backward. Recomputing is not counted.
 */
export function trainingFlops(config: ModelConfig, tokens: number, sequenceLength: number): number {
  const { count, perToken } = config.experts;
  let parameters = config.tieWordEmbeddings ? config.vocabSize * config.hiddenSize : 0;
  for (const spec of parameterSpecs(config)) {
    if (spec.name === 'model.embed_tokens.weight') continue;
    const size = parameterSize(spec);
    parameters += isStacked(spec) ? (size / count) * perToken : size;
  }
  // Each MTP block runs the shared head once more.
  parameters += config.mtpHeads * config.vocabSize * config.hiddenSize;
  const attentions = [
    ...config.layers.map((_, layer) => attentionOf(config, layer)),
    ...Array.from({ length: config.mtpHeads }, () => config.slidingAttention),
  ];
  let attention = 0;
  for (const { heads, headDim, valueHeadDim, window } of attentions) {
    const length = sequenceLength;
    const visible =
      window === null || window >= length
        ? (length + 1) / 2
        : window - (window * (window - 1)) / (2 * length);
    attention += 3.5 * 2 * (headDim + valueHeadDim) * heads * visible;
  }
  return tokens * (6 * parameters + attention);
}
