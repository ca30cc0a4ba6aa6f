import { packDocuments } from '../../model/batch.ts';
import { trunk } from '../../model/trunk.ts';
import type { TrainableModel } from '../../model/weights.ts';
import { gatherRows, linear, tokenLogprobs } from '../../tensor/ops/index.ts';
import { readFloats, readInts, Scope } from '../../tensor/scope.ts';
import type { Tensor } from '../../tensor/tensor.ts';
import type { TeacherScores } from '../algorithms/algorithm.ts';
import type { Trajectory } from '../trajectory.ts';

/** Logits held at once, in elements: 64 MiB. */
const chunkElements = 2 ** 24;

/** The model's scores of trajectories in one forward pass, by its own routing. */
export async function prefillScores(
  model: TrainableModel,
  trajectories: readonly Trajectory[],
  topCount: number,
): Promise<TeacherScores[]> {
  const scope = new Scope(model.device);
  try {
    const places = sampledPlaces(trajectories);
    const batch = packDocuments(
      scope,
      trajectories.map(({ tokens }) => tokens),
    );
    const { hidden } = trunk(scope, model, batch);
    const size = [places.length];
    // A token is predicted from the row before it.
    const rows = Int32Array.from(places, ({ row }) => row - 1);
    const predicting = gatherRows(scope, hidden, scope.from(size, rows));
    const targets = Int32Array.from(places, ({ member, t }) => trajectories[member]!.tokens[t]!);
    const wanted = scope.from(size, targets);
    const scored = tokenLogprobs(scope, predicting, model.head, wanted);
    const top = topCount > 0 ? topTokens(scope, model, predicting, wanted, topCount) : null;

    const logprobs = await readFloats(model.device, scored.logProbability);
    const topIds = top && (await readInts(model.device, top.ids));
    const topLogprobs = top && (await readFloats(model.device, top.logprobs));
    const found = trajectories.map(({ tokens }) => emptyScores(tokens.length, topCount));
    places.forEach(({ member, t }, i) => {
      const scores = found[member]!;
      scores.logprobs[t] = logprobs[i]!;
      if (!scores.top || !topIds || !topLogprobs) return;
      const begin = i * (1 + topCount) + 1;
      scores.top.tokens.set(topIds.subarray(i * topCount, (i + 1) * topCount), t * topCount);
      scores.top.logprobs.set(topLogprobs.subarray(begin, begin + topCount), t * topCount);
    });
    return found;
  } finally {
    scope.close();
  }
}

/** Scores of nothing yet, for `length` tokens. */
export function emptyScores(length: number, topCount: number): TeacherScores {
  const size = length * topCount;
  const logprobs = new Float32Array(length);
  if (topCount === 0) return { logprobs, top: null };
  const tokens = new Int32Array(size).fill(-1);
  return { logprobs, top: { count: topCount, tokens, logprobs: new Float32Array(size) } };
}

/** The sampled tokens of packed trajectories, with the row of each. */
function sampledPlaces(trajectories: readonly Trajectory[]) {
  const places: { member: number; t: number; row: number }[] = [];
  let begin = 0;
  trajectories.forEach(({ sampled }, member) => {
    for (const [t, one] of sampled.entries()) if (one) places.push({ member, t, row: begin + t });
    begin += sampled.length;
  });
  return places;
}

/** The most probable tokens after each row, [R, count], and log-probabilities [R, 1+count] after the target's. */
function topTokens(
  scope: Scope,
  model: TrainableModel,
  predicting: Tensor,
  targets: Tensor,
  count: number,
) {
  const { kernels } = model.device;
  const vocabSize = model.head.rows;
  const ids = scope.empty([predicting.rows, count], 'i32');
  const logprobs = scope.empty([predicting.rows, 1 + count]);
  const chunkRows = Math.max(1, Math.floor(chunkElements / vocabSize));
  for (let begin = 0; begin < predicting.rows; begin += chunkRows) {
    const end = Math.min(begin + chunkRows, predicting.rows);
    const logits = linear(scope, predicting.slice(begin, end), model.head);
    kernels.scoreTokens({
      logits,
      tokens: targets.slice(begin, end),
      places: scope.from(
        [end - begin],
        Int32Array.from({ length: end - begin }, (_, i) => i),
      ),
      vocabSize,
      logprobs: logprobs.slice(begin, end),
      top: ids.slice(begin, end),
    });
    scope.release(logits);
  }
  return { ids, logprobs };
}
