import type { TrainableModel } from '../model/weights.ts';
import { Random } from '../random.ts';
import { allocateGradients, releaseGradients } from '../train/gradients.ts';
import { forwardBackward } from '../train/objective.ts';
import { AdamW } from '../train/optimizer.ts';
import { stepTotals, trainingBatch } from '../train/targets.ts';
import { bestSeconds } from './measure.ts';
import { trainingFlops } from './model-flops.ts';
import type { KernelProfile, KernelTime } from './profile.ts';
import type { Roofline } from './roofline.ts';

export interface TrainingFigure {
  mtpHeads: number;
  tokensPerSecond: number;
  tokens: number;
  sequenceLength: number;
  /** Floating-point operations of the step's matrix products, attention included, a second. */
  gflops: number;
  /** Share of the rate of the best product of the same run. */
  shareOfProduct: number;
  /** Of a step, if asked for. */
  kernels: KernelTime[] | null;
}

/** A whole optimizer step on packed random tokens: forward, backward, clipping, AdamW. */
export async function measureTraining(
  model: TrainableModel,
  { trainingTokens, sequenceLength }: { trainingTokens: number; sequenceLength: number },
  roofline: Roofline,
  profile: KernelProfile | null,
): Promise<TrainingFigure> {
  const { config } = model;
  const { mtpHeads } = config;
  const batch = trainingBatch(
    randomDocuments(config.vocabSize, Math.ceil(trainingTokens / sequenceLength), sequenceLength),
  );
  const mtpLossWeight = mtpHeads > 0 ? 0.3 : 0;
  const totals = stepTotals([batch], mtpHeads);
  const gradients = allocateGradients(model);
  const optimizer = new AdamW(model, gradients, {});
  const step = async () => {
    await forwardBackward(model, gradients, batch, { totals, mtpLossWeight });
    await optimizer.step(1e-4);
  };
  try {
    const seconds = await bestSeconds(step, { minimumRuns: 3, minimumSeconds: 3 });
    const kernels = (await profile?.measure(step)) ?? null;
    const tokens = batch.tokens.length;
    const flops = trainingFlops(config, tokens, sequenceLength) / seconds;
    return {
      mtpHeads,
      tokensPerSecond: tokens / seconds,
      tokens,
      sequenceLength,
      gflops: flops * 1e-9,
      shareOfProduct: flops / roofline.rounded,
      kernels,
    };
  } finally {
    optimizer.release();
    releaseGradients(model, gradients);
  }
}

export function randomDocuments(vocabSize: number, count: number, length: number): number[][] {
  const random = new Random(3);
  return Array.from({ length: count }, () =>
    Array.from({ length }, () => random.int(0, vocabSize - 1)),
  );
}
