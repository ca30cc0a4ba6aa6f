/** Prepares a step's batches while the step before is computed. */
import type { Packer, PackerState } from './packing.ts';
import { documentCount, type TrainingBatch } from './targets.ts';

export interface PreparedStep {
  batches: TrainingBatch[];
  /** Where packing stands after these batches, and not after those prepared since. */
  packerState: PackerState;
}

/** What a step is: so many batches, or as many as so many sequences need. */
export type StepSize = { batches: number } | { sequences: number };

export class BatchQueue {
  readonly #packer: Packer;
  readonly #size: StepSize;
  #coming: Promise<PreparedStep> | undefined;

  constructor(packer: Packer, size: StepSize) {
    this.#packer = packer;
    this.#size = size;
  }

  /**
   * @param more whether a step will follow, whose batches are then begun with
   * @throws UserError when a source cannot give its samples
   */
  async next(more: boolean): Promise<PreparedStep> {
    const prepared = await (this.#coming ?? this.#prepare());
    this.#coming = more ? this.#prepare() : undefined;
    // Thrown when the step is asked for; a run that ends before that need not know.
    this.#coming?.catch(() => {});
    return prepared;
  }

  async #prepare(): Promise<PreparedStep> {
    const batches: TrainingBatch[] = [];
    if ('batches' in this.#size) {
      while (batches.length < this.#size.batches) batches.push(await this.#packer.next());
    } else {
      for (let left = this.#size.sequences; left > 0; left -= documentCount(batches.at(-1)!)) {
        batches.push(await this.#packer.next(left));
      }
    }
    return { batches, packerState: this.#packer.save() };
  }
}
