/**
 * The training step: micro-batches, their gradients accumulated, one AdamW update, and the experts'
 * bias. It knows no algorithm and no files: what is learnt is in the batches' weights.
 */
import { UserError } from '../errors.ts';
import type { TrainableModel } from '../model/weights.ts';
import { addLoads, type LoadMetrics, loadMetrics, updateExpertBias } from './expert-bias.ts';
import { type GradientMetrics, gradientMetrics } from './gradient-report.ts';
import { allocateGradients, type Gradients, releaseGradients, zeroGradients } from './gradients.ts';
import { forwardBackward, type Recompute } from './objective.ts';
import { AdamW, type AdamWOptions } from './optimizer.ts';
import type { Schedule } from './schedule.ts';
import { LossSums } from './step-sums.ts';
import { stepTotals, type TrainingBatch } from './targets.ts';

export interface TrainerOptions {
  schedule: Schedule;
  adamw: AdamWOptions;
  mtpLossWeight: number;
  expertBiasRate: number;
  balanceCoefficient: number;
  recompute: Recompute;
}

/** What a step was like. Losses and entropy in nats a token. */
export interface StepMetrics extends GradientMetrics, LoadMetrics {
  /** Counted from 1. */
  step: number;
  /** Tokens of this step. */
  tokens: number;
  loss: number;
  mtpLosses: number[];
  /** The loss by task family, and by file. */
  lossByLabel: Record<string, number>;
  /** Mean entropy of the next-token distributions. */
  entropy: number;
  /** Mean balance loss of the layers of experts; 1 is perfect balance. */
  balanceLoss: number | null;
  learningRate: number;
}

export class Trainer {
  readonly model: TrainableModel;
  readonly optimizer: AdamW;
  readonly #gradients: Gradients;
  readonly #options: TrainerOptions;

  constructor(model: TrainableModel, options: TrainerOptions) {
    this.model = model;
    this.#options = options;
    this.#gradients = allocateGradients(model);
    this.optimizer = new AdamW(model, this.#gradients, options.adamw);
  }

  /**
   * Takes one step on the batches together.
   *
   * @throws UserError if the loss or the gradient is not finite; the parameters are then unchanged
   */
  async step(batches: readonly TrainingBatch[]): Promise<StepMetrics> {
    const { schedule, mtpLossWeight, balanceCoefficient, expertBiasRate, recompute } =
      this.#options;
    const step = this.optimizer.stepCount + 1;
    const totals = stepTotals(batches, this.model.config.mtpHeads);
    const sums = new LossSums();
    const loads: Float64Array[] = [];
    const balanceLosses: number[] = [];
    for (const batch of batches) {
      const result = await forwardBackward(this.model, this.#gradients, batch, {
        totals,
        mtpLossWeight,
        balanceCoefficient,
        recompute,
      });
      sums.add(batch, result);
      addLoads(loads, result.expertLoads);
      const share = batch.tokens.length / totals.tokens;
      for (const loss of result.balanceLosses) balanceLosses.push(loss * share);
    }
    const { loss, mtpLosses, entropy, byLabel } = sums.means();
    if (![loss, ...mtpLosses].every(Number.isFinite)) {
      zeroGradients(this.model, this.#gradients);
      throw new UserError(
        `step ${step}: the loss is ${loss} (MTP ${mtpLosses.join(', ')}): training diverged; ` +
          'lower the learning rate or lengthen its warm-up',
      );
    }

    const learningRate = schedule(step - 1);
    const gradient = await this.optimizer.step(learningRate);
    await updateExpertBias(this.model, loads, expertBiasRate);
    return {
      step,
      tokens: totals.tokens,
      loss,
      mtpLosses,
      lossByLabel: Object.fromEntries(
        Object.entries(byLabel).map(([label, { loss }]) => [label, loss]),
      ),
      entropy,
      balanceLoss: balanceLosses.length > 0 ? sum(balanceLosses) / loads.length : null,
      learningRate,
      ...gradientMetrics(gradient),
      ...loadMetrics(loads),
    };
  }

  /** Gives back gradients and moments; the model stays. */
  release(): void {
    this.optimizer.release();
    releaseGradients(this.model, this.#gradients);
  }
}

function sum(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0);
}
