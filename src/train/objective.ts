/**
 * The one objective of all training: a weighting of token log-probabilities. Pre-training,
 * supervised fine-tuning and reinforcement learning differ only in the weights w_t of their targets:
 *
 *   L = −Σ_t w_t·log π(y_t | …) / Σ|w|  +  λ·1/K·Σ_k [ the same for MTP head k ]  +  balance loss
 *
 * The report gives no equation for the MTP loss; this is DeepSeek-V3's (eq. 24 and 25), with the
 * report's λ (0.3, later 0.1). Its gradient reaches the trunk through the hidden state, unless an
 * option stops it there.
 *
 * In reinforcement learning weights depend on log π itself, with the gradient stopped. They are then
 * computed on the host between the forward and the backward pass, so that the policy that is weighed,
 * the one that is gated and the one whose gradient is taken are one.
 */
import type { TrainableModel } from '../model/weights.ts';
import { readFloats, readInts, Scope } from '../tensor/scope.ts';
import { Tape } from '../tensor/tape.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { type Forward, type MtpGradient, predict } from './forward.ts';
import { gradientScale } from './gradient-scale.ts';
import type { StepTotals, Targets, TrainingBatch } from './targets.ts';

export interface ObjectiveOptions {
  /** Totals of the whole optimizer step that this batch is a part of. */
  totals: StepTotals;
  /** λ: how much the MTP heads' mean loss counts; 0 leaves the heads out. */
  mtpLossWeight: number;
  /** How much the sequence-wise balance loss of each layer of experts counts; 0 by default. */
  balanceCoefficient?: number;
  /** What of the forward pass is computed again for the gradient instead of being kept; default none. */
  recompute?: Recompute;
  /** How far the gradient of the MTP loss goes; by default into the trunk. */
  mtpGradient?: MtpGradient;
  /**
   * Gives the weight of every next-token target, and then of every candidate, from their log π in this
   * forward pass. Nothing divides these weights: L = −Σ c_t·log π(y_t), whatever the totals.
   */
  weigh?: (logProbability: Float32Array) => Float32Array;
  /** See `gradientScale`; default 1. */
  gradientHeadroom?: number;
}

/** 'layers': only the input of each layer and MTP block is kept. Gradients are the same, bit for bit. */
export type Recompute = 'none' | 'layers';

/** What one micro-batch adds to the sums of a step. */
export interface BatchResult {
  nextToken: PredictionResult;
  /** One for each MTP head that was run. */
  heads: PredictionResult[];
  /** For each layer of experts, how many (token, expert) pairs went to each expert. */
  expertLoads: Int32Array[];
  /** For each layer of experts, the balance loss of this batch; none if its coefficient is 0. */
  balanceLosses: number[];
}

/** Results in nats, one entry a target, in the order of the batch; candidates come last. */
export interface PredictionResult {
  targets: Targets;
  /** [R]: log π of each target. */
  logProbability: Float32Array;
  /** [R]: entropy of the distribution that each was predicted from. */
  entropy: Float32Array;
  /** −Σ w·log π. */
  lossSum: number;
}

/**
 * Adds the gradient of the objective to `gradients`, which holds a buffer for each trained parameter;
 * parameters without one are frozen. The batch's part is already divided by the step's totals.
 */
export async function forwardBackward(
  model: TrainableModel,
  gradients: ReadonlyMap<Tensor, Tensor>,
  batch: TrainingBatch,
  options: ObjectiveOptions,
): Promise<BatchResult> {
  const { totals, mtpLossWeight, balanceCoefficient = 0, recompute = 'none' } = options;
  const tape = new Tape(gradients, recompute === 'layers');
  const scope = new Scope(model.device, tape);
  try {
    const heads = mtpLossWeight > 0 ? model.config.mtpHeads : 0;
    const forward = predict(scope, model, batch, heads, {
      // The balance loss is a mean over tokens: of the step's, not of this batch's.
      balanceCoefficient: (balanceCoefficient * batch.tokens.length) / totals.tokens,
      mtpGradient: options.mtpGradient ?? 'trunk',
    });
    const [nextToken] = forward.predictions;
    if (options.weigh) {
      const live = await readFloats(model.device, nextToken.scores.logProbability);
      nextToken.targets = { ...nextToken.targets, weights: options.weigh(live) };
    }
    const gradientsOfTargets = forward.predictions.map(({ targets }, i) => {
      const total = i === 0 && options.weigh ? 1 : totals.weights[i]!;
      const scale = (i === 0 ? 1 : mtpLossWeight / heads) / total;
      return targets.weights.map((weight) => -weight * scale);
    });
    const seeds = forward.predictions.map(({ scores }, i) => {
      const gradient = gradientsOfTargets[i]!;
      return { output: scores.logProbability, gradient: scope.from([gradient.length], gradient) };
    });
    tape.backward(scope, seeds, gradientScale(gradientsOfTargets, options.gradientHeadroom));
    return await readResult(model, forward);
  } finally {
    scope.close();
  }
}

/** The same numbers without a gradient, for `mtpHeads` of the heads: held-out loss, log-probabilities. */
export async function score(
  model: TrainableModel,
  batch: TrainingBatch,
  mtpHeads: number,
): Promise<BatchResult> {
  const scope = new Scope(model.device);
  try {
    return await readResult(model, predict(scope, model, batch, mtpHeads, {}));
  } finally {
    scope.close();
  }
}

async function readResult({ device }: TrainableModel, forward: Forward): Promise<BatchResult> {
  const [predictions, expertLoads, balanceLosses] = await Promise.all([
    Promise.all(
      forward.predictions.map(async ({ targets, scores }): Promise<PredictionResult> => {
        const [logProbability, entropy] = await Promise.all([
          readFloats(device, scores.logProbability),
          readFloats(device, scores.entropy),
        ]);
        const lossSum = logProbability.reduce((sum, x, i) => sum - targets.weights[i]! * x, 0);
        return { targets, logProbability, entropy, lossSum };
      }),
    ),
    Promise.all(
      forward.routes.map(async ({ offsets }) => {
        const begin = await readInts(device, offsets);
        return begin.subarray(1).map((end, expert) => end - begin[expert]!);
      }),
    ),
    Promise.all(
      forward.routes.flatMap(({ balanceLoss }) =>
        balanceLoss ? [readFloats(device, balanceLoss).then(([loss]) => loss!)] : [],
      ),
    ),
  ]);
  const [nextToken, ...heads] = predictions;
  return { nextToken: nextToken!, heads, expertLoads, balanceLosses };
}
