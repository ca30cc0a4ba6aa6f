import type { BatchResult, PredictionResult } from './objective.ts';
import { type TrainingBatch, targetLabels } from './targets.ts';

/** Means over targets, in nats. */
export interface LossMeans {
  loss: number;
  /** One for each MTP head that was run. */
  mtpLosses: number[];
  /** Of the distributions that the next tokens were predicted from. */
  entropy: number;
  /** The loss and the entropy of the documents with each label: of each task family, of each file. */
  byLabel: Record<string, LabelMeans>;
}

export interface LabelMeans {
  loss: number;
  entropy: number;
  /** Targets that these are means of. */
  targets: number;
}

/** Adds up the losses of batches, so that each target counts by its weight. */
export class LossSums {
  #losses: { sum: number; weight: number }[] = [];
  #entropy = { sum: 0, count: 0 };
  readonly #labels = new Map<
    string,
    { loss: number; weight: number; entropy: number; count: number }
  >();

  add(batch: TrainingBatch, { nextToken, heads }: BatchResult): void {
    [nextToken, ...heads].forEach((result, i) => {
      this.#losses[i] ??= { sum: 0, weight: 0 };
      this.#losses[i].sum += result.lossSum;
      this.#losses[i].weight += totalWeight(result);
    });
    this.#entropy.sum += nextToken.entropy.reduce((sum, value) => sum + value, 0);
    this.#entropy.count += nextToken.entropy.length;
    this.#addLabels(batch, nextToken);
  }

  means(): LossMeans {
    const [loss = 0, ...mtpLosses] = this.#losses.map(({ sum, weight }) => sum / (weight || 1));
    const byLabel: LossMeans['byLabel'] = {};
    for (const label of [...this.#labels.keys()].sort()) {
      const { loss, weight, entropy, count } = this.#labels.get(label)!;
      byLabel[label] = { loss: loss / (weight || 1), entropy: entropy / count, targets: count };
    }
    return { loss, mtpLosses, entropy: this.#entropy.sum / (this.#entropy.count || 1), byLabel };
  }

  #addLabels(batch: TrainingBatch, { targets, logProbability, entropy }: PredictionResult): void {
    targetLabels(batch, targets).forEach((label, i) => {
      if (label === undefined) return;
      const sums = this.#labels.get(label) ?? { loss: 0, weight: 0, entropy: 0, count: 0 };
      this.#labels.set(label, sums);
      const weight = targets.weights[i]!;
      sums.loss -= weight * logProbability[i]!;
      sums.weight += Math.abs(weight);
      sums.entropy += entropy[i]!;
      sums.count++;
    });
  }
}

function totalWeight({ targets }: PredictionResult): number {
  return targets.weights.reduce((sum, weight) => sum + Math.abs(weight), 0);
}
