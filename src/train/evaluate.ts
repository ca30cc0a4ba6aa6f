import type { TrainableModel } from '../model/weights.ts';
import { score } from './objective.ts';
import { type LossMeans, LossSums } from './step-sums.ts';
import type { TrainingBatch } from './targets.ts';

/** Loss of the next token and of each MTP head on data that is not trained on. */
export async function heldOutLoss(
  model: TrainableModel,
  batches: readonly TrainingBatch[],
): Promise<LossMeans> {
  const sums = new LossSums();
  for (const batch of batches) sums.add(await score(model, batch, model.config.mtpHeads));
  return sums.means();
}
