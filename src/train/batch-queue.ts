/** Prepares a step's batches while the step before is computed. */
import type { Packer, PackerState } from './packing.ts';
import type { TrainingBatch } from './targets.ts';

export interface PreparedStep {
  batches: TrainingBatch[];
  /** Where packing stands after these batches, and not after those prepared since. */
  packerState: PackerState;
}

export class BatchQueue {
  readonly #packer: Packer;
  readonly #batchesPerStep: number;
  #coming: Promise<PreparedStep> | undefined;

  constructor(packer: Packer, batchesPerStep: number) {
    this.#packer = packer;
    this.#batchesPerStep = batchesPerStep;
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
    while (batches.length < this.#batchesPerStep) batches.push(await this.#packer.next());
    return { batches, packerState: this.#packer.save() };
  }
}
