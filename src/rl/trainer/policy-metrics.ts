/** What a step of post-training tells, and what is added up for it over the micro-batches. */
import { addLoads, type LoadMetrics, loadMetrics } from '../../train/expert-bias.ts';
import type { GradientReport } from '../../train/gradient-report.ts';
import type { BatchResult } from '../../train/objective.ts';
import type { StepTotals } from '../../train/targets.ts';
import type { TokenWeights } from '../algorithms/algorithm.ts';
import { addTo } from '../algorithms/tokens.ts';
import type { PolicyBatch } from './policy-batch.ts';
import { type MismatchFigures, MismatchSums } from './policy-figures.ts';

/** What a step was like. In nats, and means over sampled tokens, where nothing else is said. */
export interface PolicyMetrics extends LoadMetrics {
  /** Updates taken, this one included if it was. */
  step: number;
  /** Version of the weights before the step. */
  version: number;
  /** False if no token had a weight, and so nothing was changed. */
  updated: boolean;
  trajectories: number;
  tokens: number;
  sampledTokens: number;
  microBatches: number;
  /** −Σ c_t·log π_θ. Its gradient is what it is for; its value says little. */
  loss: number;
  mtpLosses: number[];
  entropy: number;
  mismatch: MismatchFigures;
  staleness: { mean: number; max: number };
  /** What the algorithm counted, as means over sampled tokens: shares that were gated, say. */
  algorithm: Record<string, number>;
  /** (token, layer) pairs whose recorded routes were consumed, once forward and once backward. */
  routesReplayed: number;
  learningRate: number;
  /** What gradients were kept smaller by: more than 1 if they left the range of f16 at first. */
  gradientHeadroom: number;
  /** Norm before clipping, and num-zeros in all and by parameter and expert. */
  gradient: GradientReport;
}

export class StepSums {
  loss = 0;
  /** Whether any token had a weight. */
  updated = false;
  routesReplayed = 0;
  readonly mismatch = new MismatchSums();
  readonly loads: Float64Array[] = [];
  readonly #totals: StepTotals;
  readonly #headLosses: number[] = [];
  readonly #algorithm: Record<string, number> = {};
  #entropy = 0;

  constructor(totals: StepTotals) {
    this.#totals = totals;
  }

  get mtpLosses(): number[] {
    return this.#headLosses.map((loss, head) => loss / (this.#totals.weights[head + 1] || 1));
  }

  addWeights({ weights, top, sums }: TokenWeights): void {
    const weighs = (weight: number) => weight !== 0;
    this.updated ||= weights.some(weighs) || top.some(weighs);
    for (const [name, sum] of Object.entries(sums)) addTo(this.#algorithm, name, sum);
  }

  addResult({ batch }: PolicyBatch, { nextToken, heads, expertLoads }: BatchResult): void {
    this.loss += nextToken.lossSum;
    heads.forEach(({ lossSum }, head) => {
      this.#headLosses[head] = (this.#headLosses[head] ?? 0) + lossSum;
    });
    // Candidates come after the sampled tokens, and repeat their rows.
    const candidates = batch.candidates?.rows.length ?? 0;
    const own = nextToken.entropy.subarray(0, nextToken.entropy.length - candidates);
    this.#entropy += own.reduce((sum, value) => sum + value, 0);
    addLoads(this.loads, expertLoads);
  }

  metrics() {
    const mismatch = this.mismatch.means();
    const algorithm: Record<string, number> = {};
    for (const [name, sum] of Object.entries(this.#algorithm)) {
      algorithm[name] = sum / mismatch.tokens;
    }
    return {
      updated: this.updated,
      tokens: this.#totals.tokens,
      sampledTokens: mismatch.tokens,
      loss: this.loss,
      mtpLosses: this.mtpLosses,
      entropy: this.#entropy / mismatch.tokens,
      mismatch,
      algorithm,
      routesReplayed: this.routesReplayed,
      ...loadMetrics(this.loads),
    };
  }
}
