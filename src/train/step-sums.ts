import type { BatchResult, PredictionResult } from './objective.ts';

/** Means over targets, in nats. */
export interface LossMeans {
  loss: number;
  /** One for each MTP head that was run. */
  mtpLosses: number[];
  /** Of the distributions that the next tokens were predicted from. */
  entropy: number;
}

/** Adds up the losses of batches, so that each target counts by its weight. */
export class LossSums {
  #losses: { sum: number; weight: number }[] = [];
  #entropy = { sum: 0, count: 0 };

  add({ nextToken, heads }: BatchResult): void {
    [nextToken, ...heads].forEach((result, i) => {
      this.#losses[i] ??= { sum: 0, weight: 0 };
      this.#losses[i].sum += result.lossSum;
      this.#losses[i].weight += totalWeight(result);
    });
    this.#entropy.sum += nextToken.entropy.reduce((sum, value) => sum + value, 0);
    this.#entropy.count += nextToken.entropy.length;
  }

  means(): LossMeans {
    const [loss = 0, ...mtpLosses] = this.#losses.map(({ sum, weight }) => sum / (weight || 1));
    return { loss, mtpLosses, entropy: this.#entropy.sum / (this.#entropy.count || 1) };
  }
}

function totalWeight({ targets }: PredictionResult): number {
  return targets.weights.reduce((sum, weight) => sum + Math.abs(weight), 0);
}
